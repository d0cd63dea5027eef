"""Secrets below their names: block scalars, lists and folded lines of YAML, line by line.

A text need not be YAML as a whole: a log may hold some lines of it.
"""

import re
from collections.abc import Iterator

from tools.redaction.marks import REDACTED, is_mark
from tools.redaction.names import Strength, weigh_name
from tools.redaction.texts import is_secret_value

_KEY = re.compile(
    r"(?P<indent>[ \t]{0,200})(?P<item>- +)?(?P<quote>[\"']?)(?P<name>[\w./ -]{1,128}?)(?P=quote)"
    r"[ \t]{0,16}:[ \t]*(?P<value>.*)$"
)
# behind a time or a level, as a log has it; prose ends in a colon, too: only a block or a list counts
_KEY_LATER = re.compile(
    r"(?P<indent>[ \t]{0,200})(?P<item>)\S.{0,2000}[ \t](?P<name>[\w./-]{1,128}):[ \t]*"
    r"(?P<value>[|>][+-]?\d?)?[ \t]*$"
)
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#.*)?")
_ITEM = re.compile(r"(?P<indent>[ \t]*)-[ \t]+(?P<value>.*)$")
_MAPPING = re.compile(r"[\"']?[\w./-]{1,128}[\"']?[ \t]*:(?:[ \t]|$)")
_ENDS = frozenset(":|>-+123456789")
_NAMING = frozenset({"name", "key"})


def hide_blocks(text: str) -> str:
    """Blank what is written below the name of a secret."""
    if "\n" not in text or ":" not in text:
        return text
    return "\n".join(_Walk(text.split("\n")).lines())


class _Walk:
    """One way through the lines of a text."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._next = 0
        self._named: dict[int, str] = {}

    def lines(self) -> Iterator[str]:
        while self._next < len(self._lines):
            line = self._lines[self._next]
            self._next += 1
            match = _find_key(line)
            if match is None:
                yield line
                continue
            name, strength = self._find_name(match)
            value = (match["value"] or "").strip()
            if strength is Strength.NONE:
                yield line
            elif _BLOCK.fullmatch(value):
                yield line
                yield from self._hide_scalar(match)
            elif not value or value.startswith("#"):
                yield line
                yield from self._hide_below(match, name, strength)
            elif name != match["name"] and is_secret_value(name, strength, value.strip("\"'")):
                yield line[: match.start("value")] + REDACTED
            else:
                yield line

    def _find_name(self, match: re.Match[str]) -> tuple[str, Strength]:
        """Return whose value a line has: that of its own key, or of the `name` beside a `value`."""
        column = len(match["indent"]) + len(match["item"] or "")
        own, value = match["name"], (match["value"] or "").strip().strip("\"'")
        if own in _NAMING:
            self._named = {column: value}
        elif own == "value" and column in self._named:
            return self._named[column], weigh_name(self._named[column])
        return own, weigh_name(own)

    def _hide_scalar(self, key: re.Match[str]) -> Iterator[str]:
        """Replace the lines that are indented further than the key by one mark."""
        indent, shown = len(key["indent"]) + len(key["item"] or ""), False
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if line.strip() and _indent_of(line) <= indent:
                return
            self._next += 1
            if line.strip() and not shown:
                yield " " * _indent_of(line) + (line.strip() if is_mark(line.strip()) else REDACTED)
                shown = True
            elif not line.strip():
                yield line

    def _hide_below(self, key: re.Match[str], name: str, strength: Strength) -> Iterator[str]:
        """Blank a list's plain items, or a plain scalar; a mapping has names of its own."""
        indent = len(key["indent"])
        while self._next < len(self._lines):
            line = self._lines[self._next]
            item = _ITEM.match(line)
            if key["value"] is None and not item:
                return
            inside = line.strip() and (_indent_of(line) > indent or (item and len(item["indent"]) == indent))
            value = item["value"] if item else line.strip()
            if not inside or _MAPPING.match(value):
                return
            self._next += 1
            plain = value.strip("\"', ")
            hidden = is_secret_value(name, strength, plain)
            yield line[: len(line) - len(line.lstrip()) + (2 if item else 0)] + REDACTED if hidden else line


def _find_key(line: str) -> re.Match[str] | None:
    later = _KEY_LATER.match(line) if line.rstrip()[-1:] in _ENDS else None
    return later if later and weigh_name(later["name"]) is not Strength.NONE else _KEY.match(line)


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
