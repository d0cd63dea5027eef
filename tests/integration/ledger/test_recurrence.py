"""Alerts that come again, late, out of order or under another name: one incident, and none is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.alerts.webhook_delivery import Receipt
from checkpoints.approvals.decisions import AlreadyDecided
from checkpoints.db.tables import AlertStateRow, IncidentRow
from checkpoints.incidents.store import NotRetryable
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.incident import Ending, EndStatus, Entry, Verification
from graph.domain.proposal import ApprovalTerms
from tests.databases import query
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import Outcome

EARLY, LATE, LATER = "2026-11-20T07:00:00Z", "2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z"
WEB = Target(kind="Deployment", namespace="shop", name="web")


def fires(fingerprint: str = "a", at: str = LATE, **labels: str) -> dict[str, Any]:
    """Return a firing alert about the Deployment `web`."""
    return {
        "status": "firing",
        "labels": {
            "alertname": "KubePodNotReady", "namespace": "shop", "pod": "web-85c88b48cd-6kmxz", **labels
        },
        "startsAt": at,
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": fingerprint,
    }  # fmt: skip


def ends(fingerprint: str = "a", at: str = LATE, until: str = LATER) -> dict[str, Any]:
    return fires(fingerprint, at) | {"status": "resolved", "endsAt": until}


def group(*alerts: dict[str, Any], **changes: Any) -> AlertGroup:
    return AlertGroup.model_validate(real_body() | {"alerts": list(alerts)} | changes)


async def deliver(ledger: Ledger, *alerts: dict[str, Any], **changes: Any) -> Receipt:
    return await ledger.intake.accept(group(*alerts, **changes), b"{}")


async def opened(ledger: Ledger, *alerts: dict[str, Any]) -> str:
    (incident_id,) = (await deliver(ledger, *alerts)).incident_ids
    return incident_id


async def end(ledger: Ledger, incident_id: str, status: EndStatus = "resolved") -> None:
    epoch = await ledger.incidents.begin_run(incident_id)
    if status == "resolved":
        now = datetime.now(UTC)
        await ledger.incidents.set_verification(
            incident_id,
            epoch,
            Verification(
                verdict="verified",
                reason="",
                checks=(),
                started_at=now,
                ended_at=now,
                stable_seconds=1,
                looks=1,
            ),
        )
    await ledger.incidents.finish(incident_id, epoch, Ending(status=status, reason="as tested"), "")


async def let_pass(url: str, time: timedelta) -> None:
    """Move all incidents, and how their alerts stand, into the past."""
    columns = IncidentRow.id, IncidentRow.created_at, IncidentRow.updated_at
    for incident_id, created, updated in await query(url, select(*columns)):
        moved = {"created_at": created - time, "updated_at": updated - time}
        await query(url, update(IncidentRow).where(IncidentRow.id == incident_id).values(moved))
    for fingerprint, since in await query(url, select(AlertStateRow.fingerprint, AlertStateRow.since)):
        state = update(AlertStateRow).where(AlertStateRow.fingerprint == fingerprint)
        await query(url, state.values(since=since - time))


async def lines(ledger: Ledger, incident_id: str) -> Sequence[Entry]:
    entries = await ledger.incidents.entries(incident_id)
    return [entry for entry in entries if entry.kind == "alert_attached"]


async def count(ledger: Ledger) -> int:
    return len((await ledger.incidents.page()).items)


@pytest.fixture
async def hasty(database_url: str) -> AsyncIterator[Ledger]:
    """Open the same database without any cool-down."""
    async with open_ledger(database_url, pace=IncidentRateLimit(timedelta(0), runs_per_hour=3)) as opened:
        yield opened


async def test_further_alerts_attach_with_a_line_each_and_are_all_in_the_case(ledger: Ledger) -> None:
    incident_id = await opened(ledger, fires("a"))

    await deliver(ledger, fires("a"), fires("b", pod="web-85c88b48cd-kmxz6"))
    await deliver(ledger, fires("c", alertname="KubeDeploymentReplicasMismatch", deployment="web"))
    await deliver(ledger, ends("b"))

    case = await ledger.incidents.case_file(incident_id)
    assert [(one.fingerprint, one.status) for one in case.group.alerts] == [
        ("a", "firing"), ("b", "resolved"), ("c", "firing"),
    ]  # fmt: skip
    told = [(line.data["fingerprint"], line.data["status"]) for line in await lines(ledger, incident_id)]
    assert told == [("b", "firing"), ("c", "firing"), ("b", "resolved")]
    assert await count(ledger) == 1


async def test_what_was_truncated_is_on_the_timeline(ledger: Ledger) -> None:
    receipt = await deliver(ledger, fires(), truncatedAlerts=7)

    (first,) = await ledger.incidents.entries(receipt.incident_ids[0])
    assert first.data["truncated"] == 7


async def test_within_the_cool_down_alerts_stay_with_the_ended_incident(ledger: Ledger) -> None:
    incident_id = await opened(ledger, fires("a"))
    await end(ledger, incident_id)

    again = await deliver(ledger, fires("a"), fires("b"), fires("a", LATER))

    assert again.incident_ids == (incident_id,)
    assert await count(ledger) == 1
    notes = [line.data["note"] for line in await lines(ledger, incident_id)]
    assert len(notes) == 2
    assert all("no new one before" in note for note in notes)
    assert await ledger.recurrence.open_again() == []


async def test_what_still_fires_after_a_verified_fix_gets_a_new_incident(
    ledger: Ledger, database_url: str
) -> None:
    first = await opened(ledger, fires("a"), fires("b"), fires("c"))
    await end(ledger, first)
    await deliver(ledger, ends("b"))
    await let_pass(database_url, timedelta(minutes=16))

    (second,) = await ledger.recurrence.open_again()

    case = await ledger.incidents.case_file(second)
    assert {one.fingerprint for one in case.group.alerts} == {"a", "c"}
    assert str(case.incident.target) == "Deployment/web in shop"
    assert await ledger.recurrence.open_again() == []
    assert second in str([line.data for line in await lines(ledger, first)])


@pytest.mark.parametrize(
    "status", ["rejected", "handed_over", "no_action", "expired", "failed", "unresolved"]
)
async def test_people_who_were_told_are_not_told_again_of_the_very_same_alert(
    ledger: Ledger, database_url: str, status: EndStatus
) -> None:
    first = await opened(ledger, fires())
    await end(ledger, first, status)
    await let_pass(database_url, timedelta(hours=2))

    again = await deliver(ledger, fires())

    assert again.incident_ids == (first,)
    assert await ledger.recurrence.open_again() == []


async def test_what_began_within_the_cool_down_is_not_lost_behind_any_end(
    ledger: Ledger, database_url: str
) -> None:
    first = await opened(ledger, fires("a"))
    await end(ledger, first, "handed_over")
    await deliver(ledger, fires("b"))
    await let_pass(database_url, timedelta(minutes=16))

    (second,) = await ledger.recurrence.open_again()

    case = await ledger.incidents.case_file(second)
    assert [one.fingerprint for one in case.group.alerts] == ["b"]


async def test_a_new_start_opens_a_new_incident_after_the_cool_down(
    ledger: Ledger, database_url: str
) -> None:
    first = await opened(ledger, fires())
    await end(ledger, first, "handed_over")
    await let_pass(database_url, timedelta(minutes=16))

    second = await opened(ledger, fires(at=LATER))

    assert second != first


async def test_one_target_gets_so_many_incidents_an_hour_and_people_see_why(hasty: Ledger) -> None:
    seen = []
    for number in range(3):
        seen.append(await opened(hasty, fires(str(number))))
        await end(hasty, seen[-1], "handed_over")

    fourth = await opened(hasty, fires("3"))

    assert len(set(seen)) == 3
    assert fourth == seen[-1]
    assert "3 incidents within an hour" in (await lines(hasty, fourth))[-1].data["note"]
    assert await hasty.recurrence.open_again() == []


async def test_what_was_held_back_is_investigated_when_the_hour_is_over(
    hasty: Ledger, database_url: str
) -> None:
    for number in range(3):
        last = await opened(hasty, fires(str(number)))
        await end(hasty, last, "handed_over")
    await deliver(hasty, fires("3"))
    await let_pass(database_url, timedelta(hours=2))

    (new,) = await hasty.recurrence.open_again()

    case = await hasty.incidents.case_file(new)
    assert [one.fingerprint for one in case.group.alerts] == ["3"]


async def test_a_resolve_that_came_first_opens_nothing(ledger: Ledger) -> None:
    assert (await deliver(ledger, ends())).incident_ids == ()
    assert await count(ledger) == 0


async def test_an_older_firing_behind_a_newer_end_opens_nothing_at_once(hasty: Ledger) -> None:
    first = await opened(hasty, fires(at=LATE))
    await deliver(hasty, ends(at=LATE))
    await end(hasty, first, "withdrawn")

    late = await deliver(hasty, fires(at=EARLY))

    assert late.incident_ids == (first,)
    assert "before what was heard last" in (await lines(hasty, first))[-1].data["note"]


async def test_the_late_end_of_an_earlier_time_does_not_end_what_fires_now(ledger: Ledger) -> None:
    incident_id = await opened(ledger, fires(at=LATER))

    await deliver(ledger, ends(at=EARLY, until=LATE))

    assert not await ledger.incidents.have_resolved(incident_id)


@pytest.mark.parametrize("start", [EARLY, LATE])
async def test_an_end_counts_although_the_start_moved_earlier(ledger: Ledger, start: str) -> None:
    incident_id = await opened(ledger, fires(at=LATE))

    await deliver(ledger, ends(at=start))

    assert await ledger.incidents.have_resolved(incident_id)


async def test_an_alert_that_fires_again_under_the_same_start_counts_as_firing(ledger: Ledger) -> None:
    incident_id = await opened(ledger, fires())
    await deliver(ledger, ends())

    await deliver(ledger, fires())

    assert not await ledger.incidents.have_resolved(incident_id)
    assert (await lines(ledger, incident_id))[-1].data["note"] == "firing again"


async def test_an_incident_has_resolved_when_its_last_alert_has(ledger: Ledger) -> None:
    incident_id = await opened(ledger, fires("a"), fires("b"))

    await deliver(ledger, ends("a"))
    assert not await ledger.incidents.have_resolved(incident_id)

    await deliver(ledger, ends("b"))
    assert await ledger.incidents.have_resolved(incident_id)


async def test_two_alertmanagers_at_once_are_as_one(ledger: Ledger, database_url: str) -> None:
    async with open_ledger(database_url) as other:
        alerts = [fires(str(number)) for number in range(5)]

        receipts = await asyncio.gather(
            *(deliver(one, *order) for one in (ledger, other) for order in (alerts, alerts[::-1], alerts[2:]))
        )

    assert len({receipt.incident_ids for receipt in receipts}) == 1
    assert sum(receipt.new_alerts for receipt in receipts) == 5
    assert await count(ledger) == 1


async def take_target(ledger: Ledger, incident_id: str) -> str | None:
    epoch = await ledger.incidents.begin_run(incident_id)
    return await ledger.incidents.set_target(incident_id, epoch, WEB)


async def test_of_two_incidents_about_one_target_the_second_leaves_its_alerts_to_the_first(
    ledger: Ledger,
) -> None:
    first = await opened(ledger, fires("a"))
    second = await opened(ledger, fires("b", pod="web-oddly-named"))

    assert await take_target(ledger, first) is None
    assert await take_target(ledger, second) == first
    assert await take_target(ledger, second) == first  # once more, as after a crash

    case = await ledger.incidents.case_file(first)
    assert [one.fingerprint for one in case.group.alerts] == ["a", "b"]
    await end(ledger, second, "no_action")
    assert await opened(ledger, fires("c", pod="web-oddly-named")) == first


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(hours=2)])
async def test_alerts_that_lead_to_one_target_open_one_incident_though_they_come_at_once(
    hasty: Ledger, database_url: str, ago: timedelta
) -> None:
    ended = await opened(hasty, fires("b", pod="web-oddly-named"))
    await take_target(hasty, ended)
    await end(hasty, ended)
    await let_pass(database_url, ago)

    one, other = await asyncio.gather(
        deliver(hasty, fires("a")), deliver(hasty, fires("c", pod="web-oddly-named"))
    )

    assert one.incident_ids == other.incident_ids != (ended,)


async def test_incidents_that_take_one_target_at_once_have_one_holder(
    ledger: Ledger, database_url: str
) -> None:
    ids = [await opened(ledger, fires(str(number), pod=f"odd-{number}x")) for number in range(6)]
    async with open_ledger(database_url) as other:
        found = await asyncio.gather(
            *(
                take_target(one, incident_id)
                for one, incident_id in zip((ledger, other) * 3, ids, strict=True)
            )
        )

    assert found.count(None) == 1
    (holder,) = {one for one in found if one}
    assert holder == ids[found.index(None)]
    case = await ledger.incidents.case_file(holder)
    assert len(case.group.alerts) == 6


async def test_a_failed_incident_is_not_retried_beside_an_open_one_about_its_target(hasty: Ledger) -> None:
    failed = await opened(hasty, fires("a"))
    await end(hasty, failed, "failed")
    open_one = await opened(hasty, fires("b"))

    with pytest.raises(NotRetryable, match=open_one):
        await hasty.incidents.retry(failed, "alice", afresh=False)


async def test_a_run_by_hand_is_not_merged_into_another(ledger: Ledger) -> None:
    first, second = [await ledger.incidents.open(group(fires())) for _ in range(2)]

    assert [await ledger.incidents.set_target(one, 0, WEB) for one in (first, second)] == [None, None]


async def test_an_unknown_outcome_is_not_settled_beside_an_open_incident_of_the_same_target(
    hasty: Ledger,
) -> None:
    first = await opened(hasty, fires("a"))
    epoch = await hasty.incidents.begin_run(first)
    proposal = make_proposal(id="apr-1", incident_id=first)
    await hasty.approvals.propose(proposal, epoch, ApprovalTerms())
    await hasty.decisions.decide("apr-1", by="alice", verdict="approve", digest=proposal.digest, reason="")
    await hasty.approvals.claim("apr-1", proposal.digest, epoch)
    await hasty.approvals.record_outcome("apr-1", epoch, Outcome(kind="unknown", detail="no answer"))
    await end(hasty, first, "handed_over")
    second = await opened(hasty, fires("a", at=LATER))

    with pytest.raises(AlreadyDecided, match=f"{second} about the same target is open"):
        await hasty.settlements.resolve("apr-1", finding="applied", by="alice", reason="I looked")
    await end(hasty, second)
    settled, is_new = await hasty.settlements.resolve("apr-1", finding="applied", by="alice", reason="so")

    assert (settled.status, is_new) == ("applied", True)
    assert (await hasty.incidents.find(first)).status == "applying"
