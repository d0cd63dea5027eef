"""Approvals that nobody needs any more are withdrawn; whatever else happens at the same moment, once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.workers.maintenance import MaintenanceLoop
from checkpoints.approvals.decisions import ApprovalGone
from checkpoints.db.tables import ApprovalRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.proposal import Approval, ApprovalTerms
from tests.databases import query
from tests.integration.ledger.test_ledger_at_once import approve, at_once, propose
from tests.statements import statements
from tests.unit.graph.cluster.test_verification import HEALTHY, Picture, PlayedCluster
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.errors import ClusterUnreachable
from tools.grants import ClaimRefused, Grant

WAITING = HEALTHY | {"ready": 0, "waiting": "ImagePullBackOff"}
CRASHED = HEALTHY | {"crashed": True}


async def resolve(ledger: Ledger, *, alerts: int = 3) -> None:
    """Let so many of the incident's three alerts resolve."""
    body = real_body()
    ended = {"status": "resolved", "endsAt": "2026-11-20T08:00:00Z"}
    body["alerts"] = [one | ended for one in body["alerts"][:alerts]]
    await ledger.intake.accept(AlertGroup.model_validate(body), b"{}")


async def fire_again(ledger: Ledger) -> None:
    await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")


def upkeep(ledger: Ledger, *pictures: Picture | Exception, woken: list[str] | None = None) -> MaintenanceLoop:
    return MaintenanceLoop(ledger, PlayedCluster(*pictures), (woken if woken is not None else []).append)


async def status(ledger: Ledger, approval: Approval) -> str:
    return (await ledger.approvals.find(approval.id)).status


async def kinds(ledger: Ledger, approval: Approval) -> list[str]:
    return [entry.kind for entry in await ledger.incidents.entries(approval.proposal.incident_id)]


@pytest.mark.parametrize("approved", [False, True])
async def test_it_is_withdrawn_when_all_alerts_have_resolved_and_the_symptom_is_gone(
    ledger: Ledger, *, approved: bool
) -> None:
    approval, epoch = await propose(ledger)
    if approved:
        await approve(ledger, approval)
    await resolve(ledger)
    woken: list[str] = []

    await upkeep(ledger, HEALTHY, woken=woken).go_round()

    stands = await ledger.approvals.find(approval.id)
    assert (stands.status, woken) == ("withdrawn", [approval.proposal.incident_id])
    assert "every alert has resolved" in stands.outcome
    with pytest.raises(ApprovalGone, match="withdrawn"):
        await ledger.decisions.decide(
            approval.id, by="bob", verdict="approve", digest=approval.digest, reason=""
        )
    with pytest.raises(ApprovalGone, match="withdrawn"):
        await ledger.settlements.revoke(approval.id, by="bob", reason="no")
    with pytest.raises(ClaimRefused, match="withdrawn"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    rows, _ = await ledger.audit.page()
    assert rows[0].action == "withdrawn"


async def test_while_one_alert_fires_it_stands(ledger: Ledger) -> None:
    approval, _ = await propose(ledger)
    await resolve(ledger, alerts=2)

    await upkeep(ledger, HEALTHY).go_round()

    assert await status(ledger, approval) == "pending"


@pytest.mark.parametrize(
    ("picture", "word"),
    [
        (WAITING, "0 ready"),
        (CRASHED, "ended in the last 10 minutes"),
        (ClusterUnreachable("no answer"), "can't be read"),
    ],
)
async def test_while_the_symptom_is_there_it_stands_and_the_timeline_says_why_once(
    ledger: Ledger, picture: Picture | Exception, word: str
) -> None:
    approval, _ = await propose(ledger)
    await resolve(ledger)

    for _ in range(3):
        await upkeep(ledger, picture).go_round()

    assert await status(ledger, approval) == "pending"
    entries = await ledger.incidents.entries(approval.proposal.incident_id)
    (told,) = [entry for entry in entries if entry.kind == "not_withdrawn"]
    assert word in told.data["reason"]


async def test_an_alert_that_fires_again_while_the_cluster_is_read_keeps_it(ledger: Ledger) -> None:
    approval, _ = await propose(ledger)
    await resolve(ledger)
    (candidate,) = await ledger.withdrawals.candidates()

    await fire_again(ledger)

    assert not await ledger.withdrawals.withdraw(candidate.id, "it looked healthy")
    assert await status(ledger, approval) == "pending"


async def test_what_a_claim_has_taken_is_not_withdrawn(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await resolve(ledger)

    await upkeep(ledger, HEALTHY).go_round()

    assert not await ledger.withdrawals.withdraw(approval.id, "too late")
    assert await status(ledger, approval) == "executing"


async def test_of_a_withdrawal_and_a_claim_at_once_exactly_one_wins(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await resolve(ledger)
    async with open_ledger(database_url) as other:
        claimed, withdrawn = await at_once(
            ledger.approvals.claim(approval.id, approval.digest, epoch),
            other.withdrawals.withdraw(approval.id, "healthy"),
        )

    assert isinstance(claimed, Grant) != withdrawn
    assert await status(ledger, approval) == ("withdrawn" if withdrawn else "executing")


async def test_of_many_withdrawals_and_an_approval_at_once_one_truth_comes_out(
    ledger: Ledger, database_url: str
) -> None:
    approval, _ = await propose(ledger)
    await resolve(ledger)
    async with open_ledger(database_url) as other:
        results = await at_once(
            approve(ledger, approval),
            *(one.withdrawals.withdraw(approval.id, "healthy") for one in (other, ledger, other)),
        )

    assert results[1:].count(True) == 1
    assert await status(ledger, approval) == "withdrawn"
    assert results[0] is None or isinstance(results[0], ApprovalGone)


async def test_reminders_come_at_half_time_and_shortly_before_each_once(
    ledger: Ledger, database_url: str
) -> None:
    approval, _ = await propose(ledger, ApprovalTerms(decide_within=timedelta(hours=4)))
    told = []
    for left in (timedelta(hours=3), timedelta(hours=2), timedelta(hours=1), timedelta(minutes=9)):
        await _let_only(database_url, approval, left)
        told.append(await ledger.reminders.remind())
        async with open_ledger(database_url) as restarted:
            assert await restarted.reminders.remind() == []

    assert [len(one) for one in told] == [0, 1, 0, 1]
    assert approval.id in told[1][0]
    assert (await kinds(ledger, approval)).count("reminded") == 2


async def test_reminders_at_once_are_given_once(ledger: Ledger, database_url: str) -> None:
    approval, _ = await propose(ledger)
    await _let_only(database_url, approval, timedelta(minutes=1))
    async with open_ledger(database_url) as other:
        told = await asyncio.gather(*(one.reminders.remind() for one in (ledger, other) * 5))

    assert sum(len(one) for one in told) == 1
    assert (await kinds(ledger, approval)).count("reminded") == 1


async def test_a_proposal_from_before_reminders_had_a_time_gets_one(
    ledger: Ledger, database_url: str
) -> None:
    approval, _ = await propose(ledger, ApprovalTerms(decide_within=timedelta(hours=4)))
    this = ApprovalRow.id == approval.id
    # as the migration leaves it
    await query(database_url, update(ApprovalRow).where(this).values(remind_at=approval.created_at))

    assert await ledger.reminders.remind() == []

    ((remind_at,),) = await query(database_url, select(ApprovalRow.remind_at).where(this))
    assert remind_at == approval.created_at + timedelta(hours=2)


async def test_looking_for_reminders_reads_no_proposals(ledger: Ledger) -> None:
    await propose(ledger)
    with statements() as made:
        assert await ledger.reminders.remind() == []

    assert not [one for one in made if "proposal" in one]


async def test_nobody_is_reminded_of_what_is_decided(ledger: Ledger, database_url: str) -> None:
    approval, _ = await propose(ledger)
    await approve(ledger, approval)
    await _let_only(database_url, approval, timedelta(minutes=1))

    assert await ledger.reminders.remind() == []


async def _let_only(url: str, approval: Approval, left: timedelta) -> None:
    """Let an approval of four hours look as if only so much of them was left."""
    this = ApprovalRow.id == approval.id
    ((before, remind_at),) = await query(
        url, select(ApprovalRow.created_at, ApprovalRow.remind_at).where(this)
    )
    elapsed = timedelta(hours=4) - left
    created_at = approval.created_at - elapsed
    moved: dict[str, Any] = {
        "created_at": created_at,
        "decide_by": approval.decide_by - elapsed,
        "remind_at": remind_at and remind_at - (before - created_at),
    }
    await query(url, update(ApprovalRow).where(this).values(moved))
