"""Alerts about what a workload is behind keep the workload's pace, and none is lost by that."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.db.tables import AlertRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis
from graph.domain.incident import EndStatus
from tests.databases import query
from tests.integration.ledger.test_recurrence import (
    LATER,
    WEB,
    count,
    deliver,
    end,
    fires,
    let_pass,
    lines,
    opened,
)
from tests.integration.ledger.test_storms import (
    FRONT,
    alerts_of,
    ask_or_join,
    fires_about,
    propose,
    propose_for,
    take,
)

OVER = timedelta(minutes=16)
FRONTS = (
    {"service": "front"},
    {"ingress": "front"},
    {"horizontalpodautoscaler": "front"},
    {"poddisruptionbudget": "front"},
)
_BEGAN = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Ledger]:
    """Open the same database as another replica does."""
    async with open_ledger(database_url) as opened:
        yield opened


@pytest.fixture
async def hasty(database_url: str) -> AsyncIterator[Ledger]:
    """Open the same database with a number per hour and without a cool-down."""
    async with open_ledger(database_url, pace=IncidentRateLimit(timedelta(0), runs_per_hour=3)) as opened:
        yield opened


async def ended_as(ledger: Ledger, status: EndStatus) -> str:
    """Return an incident about the workload that has just ended."""
    first = await opened(ledger, fires("a"))
    await end(ledger, first, status)
    return first


async def lead(ledger: Ledger, incident_id: str, target: Target = WEB) -> str | None:
    """Do what a run does with what it has found out; end it if its alerts went elsewhere."""
    holder = await take(ledger, incident_id, target)
    if holder:
        await end(ledger, incident_id, "no_action")
    return holder


async def stored(url: str) -> Sequence[tuple[str, int]]:
    by_incident = select(AlertRow.incident_id, func.count()).group_by(AlertRow.incident_id)
    return [(incident_id, number) for incident_id, number in await query(url, by_incident)]


@pytest.mark.parametrize("status", ["failed", "no_action"])
async def test_a_thousand_new_starts_of_a_front_open_one_incident_more_and_none_is_lost(
    ledger: Ledger, other: Ledger, database_url: str, status: EndStatus
) -> None:
    first = await ended_as(ledger, status)
    starts = [(_BEGAN + timedelta(seconds=number)).isoformat() for number in range(1000)]
    front = [fires_about("b", service="front") | {"startsAt": start} for start in starts]

    second = await opened(ledger, front[0])
    assert await lead(ledger, second) == first
    receipts = await asyncio.gather(
        *(deliver(one, alert) for one, alert in zip((ledger, other) * 500, front[1:], strict=False))
    )

    assert {receipt.incident_ids for receipt in receipts} == {(first,)}
    assert await count(ledger) == 2
    assert await stored(database_url) == [(first, 1001)]
    told = [line.data for line in await lines(ledger, first)]
    assert sum(facts.get("fingerprint") == "b" for facts in told) == 999
    assert "no new one before" in str(told)
    await let_pass(database_url, OVER)
    (later,) = await ledger.recurrence.open_again()
    assert await lead(ledger, later) is None
    assert await alerts_of(ledger, later) == ["b"]


async def test_what_was_heard_before_a_failure_is_looked_into_after_the_cool_down(
    ledger: Ledger, database_url: str
) -> None:
    first = await opened(ledger, fires("a"))
    early = await opened(ledger, fires_about("b", service="front"))
    await end(ledger, first, "failed")

    assert await lead(ledger, early) == first
    await let_pass(database_url, OVER)

    (later,) = await ledger.recurrence.open_again()
    assert await alerts_of(ledger, later) == ["b"]
    assert later in str([line.data for line in await lines(ledger, first)])


async def test_fronts_that_two_replicas_look_into_at_once_all_stay_with_the_ended_incident(
    ledger: Ledger, other: Ledger, database_url: str
) -> None:
    first = await ended_as(ledger, "failed")
    ids = [await opened(ledger, fires_about(str(number), **labels)) for number, labels in enumerate(FRONTS)]

    taken, again = await asyncio.gather(
        asyncio.gather(*(lead((ledger, other)[n % 2], one) for n, one in enumerate(ids))),
        asyncio.gather(
            *(
                deliver((other, ledger)[n % 2], fires_about(str(n), **labels) | {"startsAt": LATER})
                for n, labels in enumerate(FRONTS)
            )
        ),
    )

    assert taken == [first] * len(FRONTS)
    fresh = {one for receipt in again for one in receipt.incident_ids} - {first, *ids}
    assert [await lead(ledger, one) for one in fresh] == [first] * len(fresh)
    assert await stored(database_url) == [(first, 1 + 2 * len(FRONTS))]


async def test_the_workloads_own_alert_opens_an_incident_when_one_is_due(
    ledger: Ledger, database_url: str
) -> None:
    first = await ended_as(ledger, "failed")
    assert await lead(ledger, await opened(ledger, fires_about("b", service="front"))) == first
    assert await opened(ledger, fires("a", LATER)) == first
    await let_pass(database_url, OVER)

    due = await opened(ledger, fires("a", "2026-11-20T10:00:00Z"))

    assert due != first
    assert await take(ledger, due) is None


async def test_a_front_that_fires_while_the_workload_has_another_incident_is_asked_about_again(
    ledger: Ledger, database_url: str
) -> None:
    first = await ended_as(ledger, "failed")
    assert await lead(ledger, await opened(ledger, fires_about("b", service="front"))) == first
    await let_pass(database_url, OVER)
    due = await opened(ledger, fires("a", LATER))

    asked = await opened(ledger, fires_about("b", service="front") | {"startsAt": LATER})

    assert asked not in {first, due}
    assert (await ledger.incidents.find(asked)).target == FRONT


async def test_fronts_keep_the_number_per_hour_and_are_not_opened_over_and_over(
    hasty: Ledger, database_url: str
) -> None:
    for number in range(3):
        last = await opened(hasty, fires(str(number)))
        await end(hasty, last, "failed")

    assert await lead(hasty, await opened(hasty, fires_about("b", service="front"))) == last
    assert await opened(hasty, fires_about("b", service="front") | {"startsAt": LATER}) == last

    assert await hasty.recurrence.open_again() == []
    assert await count(hasty) == 4
    await let_pass(database_url, timedelta(hours=2))
    (due,) = await hasty.recurrence.open_again()
    assert await lead(hasty, due) is None


async def joined_while_changing(ledger: Ledger, status: EndStatus) -> str:
    """Let a Service's alert join an incident that is changing its workload and ends like this."""
    first = await opened(ledger, fires("a"))
    odd = await opened(ledger, fires("c", pod="web-oddly-named"))
    assert await lead(ledger, odd) == first
    epoch = await ledger.incidents.begin_run(first)
    await ledger.incidents.set_status(first, epoch, "verifying")
    second = await opened(ledger, fires_about("b", service="front"))
    assert await take(ledger, second, FRONT, behind=WEB) == first
    await end(ledger, second, "no_action")
    await deliver(ledger, fires_about("d", service="front"))  # joins at once
    await end(ledger, first, status)
    return first


@pytest.mark.parametrize("status", ["unresolved", "failed", "handed_over", "rejected", "expired"])
async def test_a_service_that_waited_for_a_repair_is_looked_into_after_one_that_came_to_nothing(
    ledger: Ledger, database_url: str, status: EndStatus
) -> None:
    first = await joined_while_changing(ledger, status)
    assert await ledger.recurrence.open_again() == []
    await let_pass(database_url, OVER)

    (later,) = await ledger.recurrence.open_again()

    assert (await ledger.incidents.find(later)).target == FRONT
    assert await alerts_of(ledger, later) == ["b", "d"]
    assert later in str([line.data for line in await lines(ledger, first)])
    assert await ledger.recurrence.open_again() == []  # people were told of the others


async def test_what_joined_at_the_proposal_is_not_asked_again_once_that_is_rejected(
    ledger: Ledger, database_url: str
) -> None:
    first, second = await opened(ledger, fires("a")), await opened(ledger, fires_about("b", service="front"))
    await propose(ledger, propose_for(first))
    epoch = await ledger.incidents.begin_run(second)
    found = Diagnosis(summary="no such image", cause="a tag is missing", source="runbook", confidence="high")
    await ledger.incidents.record(second, epoch, "reasoned", {}, diagnosis=found)
    assert await ask_or_join(ledger, propose_for(second)) == first
    await end(ledger, second, "no_action")
    await end(ledger, first, "rejected")
    await let_pass(database_url, OVER)

    assert await ledger.recurrence.open_again() == []


def starts_at(minute: int) -> dict[str, Any]:
    return fires_about("b", service="front") | {"startsAt": f"2026-11-20T10:{minute:02}:00Z"}


async def test_new_starts_open_no_other_incident_while_the_merged_run_has_not_ended(ledger: Ledger) -> None:
    first = await ended_as(ledger, "failed")

    for minute in range(6):
        incident = await opened(ledger, starts_at(minute))
        assert incident == first or await take(ledger, incident) == first

    assert await count(ledger) == 2


async def test_the_sweep_opens_no_other_incident_while_the_merged_run_has_not_ended(hasty: Ledger) -> None:
    for number in range(3):
        last = await opened(hasty, fires(str(number)))
        await end(hasty, last, "failed")
    assert await take(hasty, await opened(hasty, starts_at(0))) == last

    for _ in range(3):
        for again in await hasty.recurrence.open_again():
            assert await take(hasty, again) == last

    assert await count(hasty) == 4
