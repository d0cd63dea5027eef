"""Whether a field of an object, or a line of text, vouches for a value."""

import json
import re
from dataclasses import dataclass
from typing import Any

from graph.domain.changes.new_values import NewValue
from graph.domain.diagnosis import Evidence, Origin
from tools.mcp.toolbox import OWN_SERVER

PLACE_CHARACTERS = 200
_DISTINCT_CHARACTERS = 4
_REVISIONS = frozenset({"ReplicaSet", "ControllerRevision"})
_LOGS = frozenset({"kubectl_logs", "pods_log"})
# what programs and controllers write, and people's remarks: no specification
_REMARKS = (("status",), ("metadata", "annotations"))
_PORTS = frozenset({"port", "containerPort", "targetPort", "number"})
_PORT_WORDS = r"ports?|listen(s|ing)?|bind(s|ing)?|bound|addr(ess)?|https?|tcp|grpc|serv(er|ing|es)"
_MISSING = re.compile(
    r"not found|failed to pull|back-?off pulling|pull access denied|manifest unknown|couldn't find"
    r"|does(n't| not) exist|no such",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}")


@dataclass(frozen=True)
class Occurrence:
    """One place that holds a value, in words."""

    origin: Origin
    place: str

    @classmethod
    def on_line(cls, line: str, value: NewValue, origin: Origin, where: str = "") -> "Occurrence | None":
        """Return the sighting of a value on a line of text, or None if the line doesn't vouch for it."""
        spelled = spell(value.value)
        if not spelled.strip() or spelled not in line or _MISSING.search(line):
            return None
        if not _word(spelled).search(line) or not (is_distinct(value) or _speaks_of(line, value, spelled)):
            return None
        return cls(origin, f"{where}{' '.join(line.split())[:PLACE_CHARACTERS]}")


@dataclass(frozen=True)
class Document:
    """One object, as a tool answered it. `is_own`: our own reader did."""

    content: dict[str, Any]
    is_own: bool = True

    @property
    def kind(self) -> str:
        """Its kind, if it has one."""
        return str(self.content.get("kind") or "object")

    @property
    def name(self) -> str:
        """Kind and name, as `Service/web`."""
        metadata = self.content.get("metadata")
        return f"{self.kind}/{metadata.get('name')}" if isinstance(metadata, dict) else self.kind

    @property
    def is_revision(self) -> bool:
        """Whether it is an older or the present template of a workload."""
        return self.kind in _REVISIONS

    @property
    def origin(self) -> Origin:
        """What a value in it is worth."""
        if self.kind == "Event":
            return "event"
        if not self.is_own:
            return "text"
        return "revision" if self.is_revision else "object"

    def origin_of(self, keys: tuple[str, ...]) -> Origin:
        """Return what a value of one of its fields is worth."""
        is_remark = any(keys[: len(way)] == way for way in _REMARKS)
        return "text" if is_remark and self.origin != "event" else self.origin


def origin_of_text(piece: Evidence) -> Origin:
    """Return what a piece is worth that is text."""
    return "log" if piece.tool in _LOGS else "text"


def documents_of(piece: Evidence) -> tuple[Document, ...]:
    """Return the objects that a piece is, or none if it is text, as a log is, whatever it looks like."""
    if piece.tool in _LOGS or not piece.text.lstrip().startswith("{"):
        return ()
    try:
        answer = json.loads(piece.text)
    except (ValueError, RecursionError):
        return ()
    items = answer.get("items")
    found = items if isinstance(items, list) else [answer]
    is_own = piece.server == OWN_SERVER
    return tuple(Document(item, is_own) for item in found if isinstance(item, dict))


def is_distinct(value: NewValue) -> bool:
    """Whether a value could hardly stand somewhere by chance."""
    text = value.value
    if not isinstance(text, str) or len(text) < _DISTINCT_CHARACTERS or re.fullmatch(r"[\d.]+", text):
        return False
    return bool(re.search(r"[./:_@-]", text) or (re.search(r"\d", text) and re.search(r"[A-Za-z]", text)))


def whole_word(text: str) -> re.Pattern[str]:
    """Return a pattern for a text that isn't a part of a longer word.

    These characters belong to one word in image references and names: nginx:1.25 isn't in nginx:1.25-
    """
    return re.compile(rf"(?<![\w.:/@-]){re.escape(text)}(?![\w:/@-]|\.\w)")


def _word(spelled: str) -> re.Pattern[str]:
    if spelled.isdecimal():  # a port stands behind a colon, and before a path
        return re.compile(rf"(?<![\w.-]){spelled}(?![\w-]|\.\d)")
    return whole_word(spelled)


def spell(value: Any) -> str:
    """Return a scalar as evidence spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def holds(leaf: NewValue, value: NewValue) -> bool:
    """Whether a field of an object holds a value, in a field of its own meaning."""
    if isinstance(leaf.value, bool) != isinstance(value.value, bool):
        return False
    if spell(leaf.value) != spell(value.value):
        return False
    return _is_akin(leaf, value) or (is_distinct(value) and not is_reference(value.field))


def _is_akin(leaf: NewValue, value: NewValue) -> bool:
    """Whether two fields mean the same."""
    if is_reference(value.field):
        return is_reference(leaf.field)
    if value.field in _PORTS:
        return leaf.field in _PORTS or (leaf.field == "name" and "ports" in leaf.keys)
    is_object_name = leaf.keys == ("metadata", "name")
    return leaf.field == value.field or (value.steps[-1] == "value" and is_object_name)


def is_reference(field: str) -> bool:
    """Whether a field's value is the name of something."""
    return field == "name" or field.endswith("Name")


def _speaks_of(line: str, value: NewValue, spelled: str) -> bool:
    """Whether a line is about the field: it has a word of its name beside the value."""
    names = {value.field, *_WORDS.findall(value.field)}
    if isinstance(value.value, bool) or len(spelled) == 1:
        field, word = re.escape(value.field), re.escape(spelled)
        return bool(re.search(rf"(?<![\w-]){field}[\"']?\s*[:=]\s*[\"']?{word}(?!\w)", line, re.IGNORECASE))
    words = "|".join(map(re.escape, names - {""}))
    if value.field in _PORTS or value.field.upper().endswith("PORT"):
        words = f"{words}|{_PORT_WORDS}"
    if value.field == "name":
        words = "|".join(map(re.escape, _WORDS.findall(" ".join(value.keys[-2:-1])))) or "name"
    rest = _word(spelled).sub(" ", line)
    return bool(re.search(rf"(?<![A-Za-z])({words})(?![A-Za-z])", rest, re.IGNORECASE))
