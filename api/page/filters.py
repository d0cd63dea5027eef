"""Template filters that format times, values and states."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from graph.domain.incident import Entry
from graph.report.timeline_text import say_plan, tell
from tools.text.plain_text import make_plain

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_ALARMING = frozenset({"failed", "unresolved", "unknown", "not_verified"})
_GOOD = frozenset({"resolved", "applied", "verified", "approved"})
_WAITING = frozenset({"awaiting_approval", "pending"})
_LOUD: Mapping[str, str] = {
    "proposed": "waiting", "reminded": "waiting", "decided": "plain", "verdict": "plain", "error": "bad",
}  # fmt: skip


def say_span(seconds: float) -> str:
    """Return a length of time in its two largest units: `3 h 12 min`."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def say_age(moment: datetime) -> str:
    """Return how long ago a moment was."""
    return f"{say_span((datetime.now(UTC) - moment).total_seconds())} ago"


def say_left(moment: datetime) -> str:
    """Return how long it is until a moment."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"{say_span(seconds)} left" if seconds > 0 else "expired"


def is_over(moment: datetime) -> bool:
    """Return whether a moment has passed."""
    return moment <= datetime.now(UTC)


def say_moment(moment: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def say_clock(moment: datetime) -> str:
    """Return a moment's time of day in UTC."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def stamp(moment: datetime) -> str:
    """Return a moment in ISO 8601, for machines."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def spell(name: str) -> str:
    """Return a name of the vocabulary as words: `awaiting_approval` → `awaiting approval`."""
    return name.replace("_", " ")


def show_json(value: Any) -> str:
    """Return a value as JSON: short ones on one line, objects and lists on several."""
    if isinstance(value, dict | list) and value:
        return json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=False)


def show_json_on_one_line(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def let_break(path: str) -> Markup:
    """Return a path that may be broken at its dots and brackets, and within words only where it must."""
    parts = re.split(r"(?<=[./\[])|(?=\[)", make_plain(path))
    return Markup("<wbr>").join(parts)  # it escapes the parts


def find_tone(state: str) -> str:
    """Return the style of a state: `good` only for success."""
    if state in _GOOD:
        return "good"
    if state in _ALARMING:
        return "bad"
    return "waiting" if state in _WAITING else "plain"


def find_line_tone(entry: Entry) -> str:
    """Return the style of a timeline entry; `quiet` for mere progress."""
    match entry.kind:
        case "ended":
            return find_tone(str(entry.data.get("status")))
        case "applied":
            return find_tone(str(entry.data.get("outcome")))
        case "verdict":
            return find_tone(str(entry.data.get("verdict")))
    return _LOUD.get(entry.kind, "quiet")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "age": say_age,
    "left": say_left,
    "is_over": is_over,
    "moment": say_moment,
    "clock": say_clock,
    "stamp": stamp,
    "spell": spell,
    "as_json": show_json,
    "as_one_line": show_json_on_one_line,
    "breakable": let_break,
    "tone": find_tone,
    "line_tone": find_line_tone,
    "tell": tell,
    "plan": say_plan,
}
