"""What every part of a policy document has in common: names, sections, durations."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WRITTEN = re.compile(r"(?P<count>\d{1,9}(\.\d{1,3})?)(?P<unit>[smhd]?)")


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    written = _WRITTEN.fullmatch(str(value))
    if written is None or not float(written["count"]):
        raise ValueError("write a duration above zero, as 90s, 10m, 4h or 2d")
    return timedelta(seconds=float(written["count"]) * _SECONDS[written["unit"] or "s"])


def spell_duration(duration: timedelta) -> str:
    """Return a duration in its largest whole unit, such as `4h`."""
    seconds = duration.total_seconds()
    unit = next((unit for unit in "dhm" if seconds % _SECONDS[unit] == 0), "s")
    return f"{seconds / _SECONDS[unit]:g}{unit}"


Duration = Annotated[
    timedelta, BeforeValidator(_read), PlainSerializer(spell_duration, return_type=str, when_used="json")
]

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class Section(BaseModel):
    """A part of a policy; what it doesn't know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")
