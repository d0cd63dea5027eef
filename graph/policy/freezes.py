"""Change freezes of a policy: weekly between two times of day, or once between two dates, in a time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, model_validator

from graph.policy.conditions import NamespacePattern, matches_any
from graph.policy.field_types import RuleName, Section

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = tuple[datetime, datetime]
_WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
_DAY = timedelta(days=1)
_FORMS = (
    'write times of day with weekdays, as "18:00" and "06:00", or dates, as 2026-12-20 or 2026-12-20T18:00'
)


def _require_moment(text: str) -> str:
    try:
        _read_moment(text)
    except ValueError:
        raise ValueError(_FORMS) from None
    return text


def _require_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write one as Europe/Berlin or UTC") from None
    return name


def _read_moment(text: str) -> time | datetime:
    """Return a wall clock's time or date and time; a zone of its own is refused."""
    moment = time.fromisoformat(text) if ":" in text[:3] else datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError
    return moment


Moment = Annotated[str, AfterValidator(_require_moment)]


class FreezeWindow(Section):
    """A time in which nothing is written. `end` isn't part of it; a weekly one may go past midnight.

    Without `namespaces` it holds in every one.
    """

    name: RuleName
    reason: str = ""
    namespaces: tuple[NamespacePattern, ...] = ()
    weekdays: tuple[Weekday, ...] | None = None
    start: Moment
    end: Moment
    time_zone: Annotated[str, AfterValidator(_require_zone)] = "UTC"

    @model_validator(mode="after")
    def _require_one_form(self) -> Self:
        start, end = _read_moment(self.start), _read_moment(self.end)
        if isinstance(start, time) != isinstance(end, time) or isinstance(start, time) != bool(self.weekdays):
            raise ValueError(_FORMS)
        if isinstance(start, datetime) and isinstance(end, datetime) and end <= start:
            raise ValueError("a freeze must end after it starts")
        return self

    def covers(self, namespace: str | None) -> bool:
        """Whether it is about a namespace; one of some namespaces isn't about all of them (None)."""
        return not self.namespaces or (namespace is not None and matches_any(self.namespaces, namespace))

    def next_span(self, now: datetime) -> Span | None:
        """Return the span that holds at `now`, else the next one; None after the end. Both in UTC."""
        return next((span for span in self._spans(now) if span[1] > now), None)

    def _spans(self, now: datetime) -> Iterator[Span]:
        zone = ZoneInfo(self.time_zone)
        start, end = _read_moment(self.start), _read_moment(self.end)
        if isinstance(start, datetime) and isinstance(end, datetime):
            yield _utc(start, zone), _utc(end, zone)
            return
        assert isinstance(start, time), "the two were held against each other"
        assert isinstance(end, time), "the two were held against each other"
        today = now.astimezone(zone).date()
        for day in (today + n * _DAY for n in range(-1, 8)):
            if _WEEKDAYS[day.weekday()] in (self.weekdays or ()):
                yield _utc(_at(day, start), zone), _utc(_at(day if end > start else day + _DAY, end), zone)


@dataclass(frozen=True)
class HoldingFreeze:
    """A freeze of the policy that holds now, and its end in UTC."""

    window: FreezeWindow
    until: datetime


def find_freeze(
    windows: tuple[FreezeWindow, ...], now: datetime, namespace: str | None
) -> HoldingFreeze | None:
    """Return the freeze that holds at `now` in a namespace (None: everywhere); the longest of several."""
    spans = [(window, window.next_span(now)) for window in windows if window.covers(namespace)]
    holding = [HoldingFreeze(window, span[1]) for window, span in spans if span and span[0] <= now]
    return max(holding, key=lambda one: one.until, default=None)


def _at(day: date, moment: time) -> datetime:
    return datetime.combine(day, moment)


def _utc(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=zone).astimezone(UTC)
