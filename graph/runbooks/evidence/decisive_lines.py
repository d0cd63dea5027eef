"""Which line of a text says most about what is wrong, and how it is quoted: as data, whatever it says."""

import re
from dataclasses import dataclass

from graph.runbooks.evidence.log_levels import ERROR, rank_lines

_LEVELS = {4: "ERROR", 5: "FATAL"}
_MOST, _HEAD, _TAIL = 300, 130, 165
_MOST_MORE = 3
_LONGEST = 4_000
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = "The above exception was the direct cause of the following exception:"
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_TELLING = re.compile(
    r"(?<!\bno )(?<!\b0 )(?<!without )\b(?:error|exception|fatal|panic|fail(?:ed|ure|s|ing)?|abort(?:ed)?"
    r"|killed|cannot|can't|can not|could not|couldn't|unable|denied|refused|forbidden|unauthori[sz]ed"
    r"|not permitted|not found|no such|missing|invalid|unknown|unsupported|timed? ?out|timeout"
    r"|unreachable|unavailable|NXDOMAIN|SERVFAIL|exceeded|not ready|doesn't exist|does not exist)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DecisiveLine:
    """A line, the level that it states (None: less than an error), and whether it speaks of a fault."""

    text: str
    level: str | None
    is_telling: bool


def find_telling(text: str) -> DecisiveLine | None:
    """Return the line of a log that says most about a fault, or its last words; None: nothing is written.

    An error counts before what only speaks of one. A line that ends with a colon is told with what follows.
    """
    ranked = [each for each in rank_lines(text) if any(map(str.isalnum, each[0]))]
    if not ranked:
        return None
    line, level = ranked[0]
    if level in _LEVELS:
        return DecisiveLine(
            _with_rest(text, _find_first_cause(text.splitlines(), line)), _LEVELS[level], is_telling=True
        )
    spoken = next((each for each, how in ranked if _speaks(each, how)), None)
    return DecisiveLine(_with_rest(text, spoken or line), None, is_telling=spoken is not None)


def find_last(text: str) -> str:
    """Return the last line that says anything; empty where there is none."""
    return next((line for line in reversed(text.splitlines()) if any(map(str.isalnum, line))), "")


def quote_ends(text: str) -> str:
    """Return a foreign text as one quoted line; of a long one both ends, since the reason is often last."""
    ends = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    line = " ".join(quote_all(ends).split()).replace("“", '"').replace("”", '"')
    if len(line) > _MOST:
        line = f"{line[:_HEAD].rstrip()} … {line[-_TAIL:].lstrip()}"
    return f"“{line}”"


def quote_all(text: str) -> str:
    """Return a text without colours and whatever else acts on a terminal."""
    plain = _ESCAPES.sub("", text)
    return "".join(char if char.isprintable() else " " for char in plain)


def essence(text: str) -> str:
    """Return what makes two lines the same but for their times and numbers."""
    return re.sub(r"[0-9a-f]*\d[0-9a-f]*", "#", " ".join(quote_all(text[:_LONGEST]).lower().split()))


def _find_first_cause(lines: list[str], line: str) -> str:
    """Return the exception that a Python program's chain of exceptions began with, or the line itself."""
    place = len(lines) - 1 - lines[::-1].index(line)
    while _CHAINED in lines[:place] and _find_exception(lines, place + 1) == place:
        earlier = _find_exception(lines, _find_before(lines, _CHAINED, place))
        if earlier is None:
            break
        place = earlier
    return lines[place]


def _find_exception(lines: list[str], end: int) -> int | None:
    """Return where the exception of the last traceback before `end` is named: below what is indented."""
    if _TRACEBACK not in lines[:end]:
        return None
    below = range(_find_before(lines, _TRACEBACK, end) + 1, end)
    return next((number for number in below if lines[number].strip() and lines[number][0] != " "), None)


def _find_before(lines: list[str], wanted: str, place: int) -> int:
    return place - 1 - lines[:place][::-1].index(wanted)


def _speaks(line: str, level: int | None) -> bool:
    return (level is None or level == ERROR - 1) and bool(_TELLING.search(line[:_LONGEST]))


def _with_rest(text: str, line: str) -> str:
    """Return a line, and what it announces where it ends with a colon."""
    if not line.rstrip().endswith(":"):
        return line
    lines = text.splitlines()
    place = max(number for number, each in enumerate(lines) if each == line)
    rest = [each.strip() for each in lines[place + 1 :] if any(map(str.isalnum, each))]
    return " ".join([line.rstrip(), *rest[:_MOST_MORE]])
