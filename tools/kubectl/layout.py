"""Text as kubectl lays it out: aligned fields, tables and ages, familiar to people and to models."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

NONE = "<none>"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def fields(pairs: Iterable[tuple[str, Any]], indent: int = 0) -> list[str]:
    """Return one `Label:  value` line per pair, the values aligned; a list's lines stand below each other."""
    rows = [(f"{label}:", _lines(value)) for label, value in pairs]
    width = max((len(label) for label, _ in rows), default=0) + 2
    pad = " " * indent
    text: list[str] = []
    for label, lines in rows:
        text.append(f"{pad}{label:<{width}}{lines[0]}".rstrip())
        text += [f"{pad}{'':<{width}}{line}" for line in lines[1:]]
    return text


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], indent: int = 0) -> list[str]:
    """Return the rows under their header, columns aligned."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    pad = " " * indent
    return [
        pad + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def pairs_of(mapping: dict[str, Any] | None) -> list[str]:
    """Return `key=value` lines, or kubectl's word for nothing."""
    return [f"{key}={value}" for key, value in sorted((mapping or {}).items())] or [NONE]


def age(timestamp: str | None, now: datetime | None = None) -> str:
    """Return how long ago an RFC 3339 time was, with kubectl's rounding; `<unknown>` for none."""
    if not timestamp:
        return "<unknown>"
    then = datetime.fromisoformat(timestamp)
    return duration(((now or datetime.now(UTC)) - then).total_seconds())


def duration(seconds: float) -> str:
    """Return a duration as kubectl rounds it: `90s`, `5m30s`, `47m`, `5h12m`, `3d4h`."""
    whole = max(0, int(seconds))
    steps = (
        (2 * _MINUTE, f"{whole}s"),
        (10 * _MINUTE, _pair(whole, _MINUTE, "m", 1, "s")),
        (3 * _HOUR, f"{whole // _MINUTE}m"),
        (8 * _HOUR, _pair(whole, _HOUR, "h", _MINUTE, "m")),
        (2 * _DAY, f"{whole // _HOUR}h"),
        (8 * _DAY, _pair(whole, _DAY, "d", _HOUR, "h")),
    )
    return next((text for limit, text in steps if whole < limit), f"{whole // _DAY}d")


def _pair(whole: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{large_unit}" + (f"{rest}{small_unit}" if rest else "")


def _lines(value: Any) -> list[str]:
    lines = [str(line) for line in value] if isinstance(value, list) else str(value).splitlines()
    return lines or [""]
