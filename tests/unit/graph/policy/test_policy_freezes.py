"""Freezes of the policy: weekly windows past midnight and across the change of clocks, and single dates."""

from datetime import UTC, datetime
from typing import Any

import pytest

from graph.policy.freezes import FreezeWindow, find_freeze


def window(**fields: Any) -> FreezeWindow:
    return FreezeWindow.model_validate({"name": "quiet", **fields})


NIGHT = window(weekdays=["fri"], start="18:00", end="06:00", time_zone="Europe/Berlin")
WHOLE_DAY = window(weekdays=["sat"], start="00:00", end="00:00")
YEAR_END = window(start="2026-12-20", end="2027-01-02T06:00", time_zone="America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("freeze", "moment", "holds"),
    [
        (NIGHT, "2026-11-27T16:59", False),  # a Friday, 17:59 in Berlin
        (NIGHT, "2026-11-27T17:00", True),
        (NIGHT, "2026-11-28T04:59", True),
        (NIGHT, "2026-11-28T05:00", False),
        (NIGHT, "2026-11-28T18:00", False),  # Saturday night is no Friday night
        (NIGHT, "2026-07-03T16:00", True),  # 18:00 in Berlin's summer
        (NIGHT, "2026-07-03T15:59", False),
        (WHOLE_DAY, "2026-11-28T00:00", True),
        (WHOLE_DAY, "2026-11-28T23:59", True),
        (WHOLE_DAY, "2026-11-29T00:00", False),
        (YEAR_END, "2026-12-20T04:59", False),
        (YEAR_END, "2026-12-20T05:00", True),
        (YEAR_END, "2027-01-02T10:59", True),
        (YEAR_END, "2027-01-02T11:00", False),
    ],
)
def test_a_freeze_holds_from_its_start_until_just_before_its_end(
    freeze: FreezeWindow, moment: str, holds: bool
) -> None:
    assert (find_freeze((freeze,), at(moment), None) is not None) is holds


def test_a_night_in_which_the_clocks_change_is_as_long_as_the_wall_clock_says() -> None:
    turn = window(weekdays=["sat"], start="22:00", end="06:00", time_zone="Europe/Berlin")

    span = turn.next_span(at("2026-10-24T20:30"))  # the clocks go back on the 25th

    assert span == (at("2026-10-24T20:00"), at("2026-10-25T05:00"))


def test_the_next_time_of_a_freeze_is_known_before_it_and_none_is_left_after_the_last() -> None:
    assert NIGHT.next_span(at("2026-11-25T00:00")) == (at("2026-11-27T17:00"), at("2026-11-28T05:00"))
    assert YEAR_END.next_span(at("2027-01-02T11:00")) is None


def test_of_several_freezes_the_one_that_holds_longest_is_named() -> None:
    day = window(weekdays=["fri", "sat"], start="00:00", end="00:00").model_copy(update={"name": "day"})

    held = find_freeze((NIGHT, day), at("2026-11-27T20:00"), None)

    assert held is not None
    assert held.window.name == "quiet"
