"""The claim: one UPDATE decides who may write, whatever the graph, a resume or a late worker says."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from checkpoints.approvals.freezes import FreezeWindow
from checkpoints.db.tables import ApprovalRow
from checkpoints.incidents.store import UnverifiedEnding
from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.incident import Ending
from graph.domain.proposal import Approval, ApprovalTerms, Proposal
from graph.ports import StaleRun
from tests.clocks import Clock
from tests.databases import query
from tests.statements import statements
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import ClaimRefused, Grant, Outcome


async def open_incident(ledger: Ledger) -> tuple[str, int]:
    receipt = await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    (incident_id,) = receipt.incident_ids
    return incident_id, await ledger.incidents.begin_run(incident_id)


async def propose(ledger: Ledger, terms: ApprovalTerms | None = None, **changes: Any) -> tuple[Approval, int]:
    incident_id, epoch = await open_incident(ledger)
    proposal = make_proposal(incident_id=incident_id, **changes)
    return await ledger.approvals.propose(proposal, epoch, terms or ApprovalTerms()), epoch


async def approve(ledger: Ledger, approval: Approval) -> None:
    await ledger.decisions.decide(
        approval.id, by="alice", verdict="approve", digest=approval.digest, reason=""
    )


async def test_an_approved_proposal_is_granted_as_it_was_seen(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)

    grant = await ledger.approvals.claim(approval.id, approval.digest, epoch)

    assert isinstance(grant, Grant)
    assert grant.arguments == make_proposal().arguments
    assert grant.sent_generation is None
    assert (await ledger.approvals.find(approval.id)).status == "executing"


async def test_a_pending_proposal_is_not_granted(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)

    with pytest.raises(ClaimRefused, match="pending"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_a_rejected_proposal_is_not_granted(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await ledger.decisions.decide(approval.id, by="bob", verdict="reject", digest=None, reason="no")

    with pytest.raises(ClaimRefused, match="rejected"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_another_digest_is_not_granted(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)

    with pytest.raises(ClaimRefused, match="digests differ"):
        await ledger.approvals.claim(approval.id, "0" * 64, epoch)


async def test_a_run_that_was_taken_over_is_not_granted(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.incidents.begin_run(approval.proposal.incident_id)

    with pytest.raises(StaleRun):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_the_kill_switch_stops_a_claim_and_gives_it_free_again(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    with pytest.raises(ClaimRefused, match="kill switch"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.stops.set_kill_switch(engaged=False, by="root", reason="over")

    assert isinstance(await ledger.approvals.claim(approval.id, approval.digest, epoch), Grant)


async def test_a_freeze_stops_a_claim_while_it_holds(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    freeze = await ledger.freezes.add(release_day(), by="root")

    with pytest.raises(ClaimRefused, match="release day"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.freezes.end(freeze.id, by="root", reason="it is out")

    assert isinstance(await ledger.approvals.claim(approval.id, approval.digest, epoch), Grant)


async def test_a_freeze_of_other_namespaces_stops_nothing_here_and_one_of_this_does(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    here = approval.proposal.target.namespace
    freeze = await ledger.freezes.add(release_day("elsewhere-*"), by="root")

    assert (await ledger.approvals.standing(approval.id)).stopped_by is None
    await ledger.freezes.change(freeze.id, release_day("elsewhere-*", f"{here}*"), by="root")

    with pytest.raises(ClaimRefused, match="release day"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
    assert (await ledger.stops.standing()).stopped_by is None
    assert "release day" in str((await ledger.stops.standing(here)).stopped_by)


def release_day(*namespaces: str) -> FreezeWindow:
    now = datetime.now(UTC)
    return FreezeWindow(
        starts_at=now, ends_at=now + timedelta(hours=1), reason="release day", namespaces=namespaces
    )


async def test_a_stop_that_comes_after_the_claim_still_stops_the_write(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    with pytest.raises(ClaimRefused, match="kill switch"):
        await ledger.approvals.record_intent(
            approval.id, epoch, resource_version="1", generation=7, expected="e0"
        )


async def test_an_approval_past_its_time_is_not_granted_even_before_the_sweep(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger, ApprovalTerms(execute_within=timedelta(0)))
    await approve(ledger, approval)

    with pytest.raises(ClaimRefused, match="had to be executed by"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


async def test_of_many_claims_at_once_only_one_gets_the_grant(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)

    answers = await asyncio.gather(
        *(ledger.approvals.claim(approval.id, approval.digest, epoch) for _ in range(10)),
        return_exceptions=True,
    )

    assert len([answer for answer in answers if isinstance(answer, Grant)]) == 1
    assert len([answer for answer in answers if isinstance(answer, ClaimRefused)]) == 9


async def test_an_execution_that_has_ended_is_told_and_not_granted_again(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.approvals.record_outcome(approval.id, epoch, Outcome(kind="applied", detail="done"))

    again = await ledger.approvals.claim(approval.id, approval.digest, epoch)

    assert again == Outcome(kind="applied", detail="done")


async def test_after_a_crash_the_next_run_gets_the_grant_with_the_intent(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.approvals.record_intent(
        approval.id, epoch, resource_version="41", generation=7, expected="e0"
    )
    next_epoch = await ledger.incidents.begin_run(approval.proposal.incident_id)

    grant = await ledger.approvals.claim(approval.id, approval.digest, next_epoch)

    assert isinstance(grant, Grant)
    assert grant.sent_generation == 7


async def test_the_dead_run_that_wakes_again_can_write_nothing(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.incidents.begin_run(approval.proposal.incident_id)

    with pytest.raises(StaleRun):
        await ledger.approvals.record_intent(
            approval.id, epoch, resource_version="41", generation=7, expected="e0"
        )
    with pytest.raises(StaleRun):
        await ledger.approvals.record_outcome(approval.id, epoch, Outcome(kind="applied", detail=""))
    with pytest.raises(StaleRun):
        await ledger.incidents.set_status(approval.proposal.incident_id, epoch, "resolved")


async def test_a_newer_proposal_takes_the_older_out_of_use(ledger: Ledger) -> None:
    older, epoch = await propose(ledger)
    await approve(ledger, older)
    call = older.proposal.arguments.model_copy(update={"name": "another"})
    newer = make_proposal(id="apr-2", incident_id=older.proposal.incident_id, arguments=call)
    await ledger.approvals.propose(newer, epoch)

    answer = await ledger.approvals.claim(older.id, older.digest, epoch)

    assert answer == Outcome(kind="superseded", detail="a newer proposal took its place")
    assert (await ledger.approvals.find(older.id)).superseded_by == "apr-2"


async def test_a_proposal_that_was_altered_in_the_table_is_not_granted(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    altered = json.dumps(approval.proposal.model_dump(mode="json")).replace("nginx:1.25", "evil:6.66")
    await query(database_url, update(ApprovalRow).values(proposal=json.loads(altered)))

    with pytest.raises(ClaimRefused, match="doesn't match its digest"):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


def test_the_stored_proposal_is_the_one_that_was_digested() -> None:
    proposal = make_proposal()

    assert Proposal.model_validate(proposal.model_dump(mode="json")).digest == proposal.digest


async def test_a_claim_that_was_taken_in_time_still_may_not_write_too_late(
    clock: Clock, ledger: Ledger
) -> None:
    approval, epoch = await propose(ledger, ApprovalTerms(execute_within=timedelta(minutes=30)))
    await approve(ledger, approval)
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    clock.offset = timedelta(minutes=30)

    with pytest.raises(ClaimRefused, match="had to be executed by"):
        await ledger.approvals.record_intent(
            approval.id, epoch, resource_version="1", generation=7, expected="e0"
        )


async def test_an_incident_that_has_ended_is_not_run_again(ledger: Ledger) -> None:
    incident_id, epoch = await open_incident(ledger)
    await ledger.incidents.fail(incident_id, epoch, "the cluster is down")

    with pytest.raises(StaleRun, match="it has ended"):
        await ledger.incidents.begin_run(incident_id)


async def test_an_incident_is_not_resolved_without_the_verdict_whatever_the_state_says(
    ledger: Ledger,
) -> None:
    incident_id, epoch = await open_incident(ledger)

    with pytest.raises(UnverifiedEnding):
        await ledger.incidents.finish(incident_id, epoch, Ending(status="resolved", reason="forged"), "# R")

    assert (await ledger.incidents.find(incident_id)).status == "open"


async def test_the_same_change_again_is_the_approval_that_stands(ledger: Ledger) -> None:
    approval, _ = await propose(ledger)
    await approve(ledger, approval)
    epoch = await ledger.incidents.begin_run(approval.proposal.incident_id)
    again = make_proposal(id="apr-2", incident_id=approval.proposal.incident_id)

    kept = await ledger.approvals.propose(again, epoch, ApprovalTerms())

    assert (kept.id, kept.status) == (approval.id, "approved")


async def test_the_same_change_of_another_state_is_a_proposal_of_its_own(ledger: Ledger) -> None:
    approval, epoch = await propose(ledger)
    (change, *_) = approval.proposal.diff
    moved = make_proposal(
        id="apr-2", incident_id=approval.proposal.incident_id,
        diff=(change.model_copy(update={"before": "something else"}),),
    )  # fmt: skip

    fresh = await ledger.approvals.propose(moved, epoch, ApprovalTerms())

    assert fresh.id == "apr-2"
    assert (await ledger.approvals.find(approval.id)).superseded_by == "apr-2"


async def test_a_look_at_the_stops_reads_the_audit_once(ledger: Ledger) -> None:
    approval, _ = await propose(ledger)
    with statements() as made:
        await ledger.stops.doubt()
    once = len([one for one in made if "FROM audit" in one])

    with statements() as made:
        await approve(ledger, approval)

    sealed = 3  # of which one is about this approval, and one finds the newest row, to which it appends
    assert len([one for one in made if "FROM audit" in one]) == once + sealed
