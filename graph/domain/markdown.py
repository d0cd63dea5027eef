"""Markdown that foreign text can't break out of.

What comes from the cluster, a model or a person is data: it stands in code, or is escaped until nothing in it
acts. Control characters go, and so do those that turn the direction of writing around.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tools.text.plain_text import make_plain

_ACTING = re.compile(r"([\\`*_\[\]<>#|~&$!])")
# above what a patch may have: a longer text on one line is nothing that anybody reads
_MOST_CHARACTERS = 60_000
_BEGINNING = re.compile(r"^(\d{1,9}(?=[.)])|[-+=](?=.))")
_LINKING = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)")


def text(value: object) -> str:
    """Return a text on one line, with nothing in it that Markdown or HTML would act on."""
    flat = _ACTING.sub(r"\\\1", _flat(value))
    flat = _LINKING.sub(lambda link: "".join(filter(None, link.groups()[0::2])) + "\\" + link[0][-1], flat)
    return _BEGINNING.sub(lambda mark: _escape_beginning(mark[0]), flat)


def sentence(value: str) -> str:
    """Return a text as a sentence: with a capital, and a stop where it has none."""
    flat = _flat(value)
    stop = "." if flat and flat[-1].isalnum() and flat.isascii() else ""
    return text(f"{flat[:1].upper()}{flat[1:]}{stop}")


def code(value: object) -> str:
    """Return a text on one line as code."""
    flat = _flat(value)
    ticks = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def code_block(value: str, language: str = "") -> str:
    """Return a text of several lines as a block of code."""
    clean = make_plain(value)
    ticks = "`" * max(3, _longest_run(clean) + 1)
    return f"{ticks}{language}\n{clean}\n{ticks}"


def bullets(items: Iterable[str]) -> str:
    """Return a list; its items are Markdown already."""
    return "\n".join(f"- {item}" for item in items)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def at(moment: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _flat(value: object) -> str:
    said = str(value)
    if (more := len(said) - _MOST_CHARACTERS) > 0:
        said = f"{said[:_MOST_CHARACTERS]} (and {more} more characters)"
    return " ".join(make_plain(said).split())


def _escape_beginning(mark: str) -> str:
    # a number before its dot, or a dash, would begin a list
    return f"{mark}\\" if mark.isdecimal() else f"\\{mark}"


def _cell(markdown: str) -> str:
    # in a table even code must escape its bars; in text they are escaped already
    return re.sub(r"(?<!\\)\|", r"\\|", markdown)


def _longest_run(value: str) -> int:
    return max((len(run) for run in re.findall(r"`+", value)), default=0)
