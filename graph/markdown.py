"""Markdown around text that others wrote: it is shown as it is, and nothing in it acts."""

import re
from collections.abc import Iterable, Sequence

from tools.plain_text import make_plain


def escape(text: str) -> str:
    """Return text on one line, with nothing in it that Markdown, HTML or a terminal would act on."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", _flatten(text))


def code(text: str) -> str:
    """Return text on one line as a code span that it can't break out of."""
    flat = _flatten(text)
    ticks = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return text as a code block that it can't break out of."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}{language}\n{make_plain(text)}\n{ticks}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(markdown: str) -> str:
    return markdown.replace("|", "\\|")


def _flatten(text: str) -> str:
    return make_plain(" ".join(text.split()))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
