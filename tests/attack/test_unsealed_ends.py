"""Attacks on how something ended: an end that is only in the database is neither obeyed nor told."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from langgraph.runtime import Runtime
from sqlalchemy import insert, text, update

from checkpoints.db.tables import ApprovalRow, AuditRow, IncidentRow
from checkpoints.incidents.store import UnverifiedEnding
from checkpoints.ledger import Ledger, open_ledger
from graph.cluster.verification import Verifier
from graph.domain.alerts.payload import AlertGroup
from graph.domain.incident import Ending, Verification
from graph.domain.proposal import Approval
from graph.nodes.conclusion import Conclusion
from graph.report import render_report
from graph.state import IncidentState, RunContext
from tests.acceptance.workloads import real_body
from tests.attack.forging import apply, approve, overwrite, propose
from tests.databases import query
from tools.grants import ClaimRefused, Outcome

UNSEALED = "the audit has sealed no such end"
VERIFIED = Verification(
    verdict="verified", reason="all is well", checks=(), started_at=datetime.now(UTC),
    ended_at=datetime.now(UTC), stable_seconds=10, looks=3,
)  # fmt: skip


@pytest.fixture
async def ledger(database_url: str, key: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(database_url, key) as opened:
        yield opened


async def end_otherwise(ledger: Ledger, how: str) -> tuple[Approval, int]:
    """Return an approval that has ended in another way than any of `FORGED`, and its run."""
    if how == "failed":
        approval, epoch = await propose(ledger)
        await approve(ledger, approval)
        await ledger.approvals.claim(approval.id, approval.digest, epoch)
        await ledger.approvals.record_outcome(approval.id, epoch, Outcome(kind="failed", detail="a 409"))
    else:
        approval, epoch = await propose(ledger)
        await approve(ledger, approval)
    return approval, epoch


FORGED = [
    {"status": "applied", "outcome": "it was written"},
    {"status": "failed", "outcome": "nothing was written"},
    {"status": "unknown", "outcome": "nobody knows"},
    {"status": "superseded", "outcome": "something else took its place"},
]


@pytest.mark.parametrize("was", ["approved", "failed"])
@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged["status"])
async def test_a_run_believes_no_end_that_nobody_sealed(
    ledger: Ledger, database_url: str, was: str, forged: dict[str, Any]
) -> None:
    approval, epoch = await end_otherwise(ledger, was)
    await overwrite(database_url, approval, **forged)

    if was == forged["status"]:  # the end is sealed, but not these words
        ended = await ledger.approvals.claim(approval.id, approval.digest, epoch)
        assert isinstance(ended, Outcome)
        assert (ended.kind, ended.detail) == (was, "a 409")
        return
    with pytest.raises(ClaimRefused, match=UNSEALED):
        await ledger.approvals.claim(approval.id, approval.digest, epoch)


ENDS = [*FORGED, *({"status": one, "outcome": "so it was"} for one in ("rejected", "expired", "revoked"))]


@pytest.mark.parametrize("forged", ENDS, ids=lambda forged: forged["status"])
async def test_nobody_is_shown_an_end_that_nobody_sealed(
    ledger: Ledger, database_url: str, forged: dict[str, Any]
) -> None:
    approval, _ = await propose(ledger)
    await overwrite(database_url, approval, **forged)

    (listed,) = (await ledger.approvals.page()).items
    case = await ledger.incidents.case_file(approval.proposal.incident_id)
    report = render_report(case, Ending(status="handed_over", reason="looked at it"))

    for shown in (listed, await ledger.approvals.find(approval.id), *case.approvals):
        assert (shown.status, UNSEALED in shown.outcome) == ("unknown", True)
    assert forged["outcome"] not in report
    assert UNSEALED in report


async def test_of_an_outcome_with_other_words_the_sealed_ones_are_shown(
    ledger: Ledger, database_url: str
) -> None:
    approval, _ = await apply(ledger)
    sealed = await ledger.approvals.find(approval.id)
    await query(database_url, update(ApprovalRow).values(outcome="done, and everybody is happy"))

    shown = await ledger.approvals.find(approval.id)
    assert (shown.status, shown.outcome) == ("applied", sealed.outcome)


async def test_an_end_with_a_row_of_the_audit_that_bears_no_seal_is_none(
    ledger: Ledger, database_url: str
) -> None:
    approval, _ = await propose(ledger)
    ended = {"status": "expired", "outcome": "nobody decided"}
    await overwrite(database_url, approval, **ended)
    row = {
        "seq": 1000, "at": "2026-01-01T00:00:00.000000+00:00", "actor": "mendgate", "action": "expired",
        "incident_id": approval.proposal.incident_id, "approval_id": approval.id,
        "document": json.dumps({"reason": ended["outcome"]}), "previous": "", "mac": "0" * 64,
    }  # fmt: skip
    await query(database_url, insert(AuditRow).values(**row))

    assert (await ledger.approvals.find(approval.id)).status == "unknown"


async def test_what_only_the_database_calls_over_a_person_may_settle(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await end_otherwise(ledger, "failed")
    incident_id = approval.proposal.incident_id
    await ledger.incidents.finish(incident_id, epoch, Ending(status="failed", reason="a 409"), "")
    await overwrite(database_url, approval, status="applied", outcome="it was written")

    settled, is_new = await ledger.settlements.resolve(
        approval.id, finding="not_applied", by="root", reason="the object is as it was"
    )

    assert (settled.status, is_new) == ("failed", True)


class AllWell:
    """Finds a workload healthy whenever it looks."""

    async def verify(self, *_: Any) -> Verification:
        return VERIFIED


async def test_a_healthy_workload_is_no_success_of_a_write_that_the_database_denies(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await apply(ledger)
    await overwrite(database_url, approval, status="failed", outcome="nothing was written")
    state = IncidentState(
        alert=AlertGroup.model_validate(real_body()),
        incident_id=approval.proposal.incident_id,
        approval_id=approval.id,
    )
    conclusion = Conclusion(ledger.incidents, ledger.approvals, cast("Verifier", AllWell()))

    update = await conclusion.verify_fix(state, Runtime(context=RunContext(epoch=epoch)))

    assert update["ending"].status == "handed_over"
    assert UNSEALED in update["ending"].reason
    assert "verdict" not in update


async def test_a_forged_verdict_resolves_nothing(ledger: Ledger, database_url: str) -> None:
    approval, epoch = await apply(ledger)
    incident_id = approval.proposal.incident_id
    forged = {"verdict": "verified", "verification": VERIFIED.model_dump(mode="json")}
    await query(database_url, update(IncidentRow).values(**forged))

    with pytest.raises(UnverifiedEnding, match=UNSEALED):
        await ledger.incidents.finish(incident_id, epoch, Ending(status="resolved", reason="fine"), "")


async def test_an_incident_that_is_resolved_in_the_database_alone_is_not_shown_as_resolved(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await apply(ledger)
    incident_id = approval.proposal.incident_id
    failed = VERIFIED.model_copy(update={"verdict": "not_verified", "reason": "a pod isn't ready"})
    await ledger.incidents.set_verification(incident_id, epoch, failed)
    assert (await ledger.incidents.find(incident_id)).verdict == "not_verified"
    forged = {"status": "resolved", "verdict": "verified", "verification": VERIFIED.model_dump(mode="json")}
    await query(database_url, update(IncidentRow).values(**forged))

    (listed,) = (await ledger.incidents.page()).items
    shown = [listed, await ledger.incidents.find(incident_id)]
    shown.append((await ledger.incidents.case_file(incident_id)).incident)
    for one in shown:
        assert (one.status, one.verdict, one.verification) == ("unresolved", None, None)
        assert UNSEALED in one.reason


async def test_a_verdict_that_was_sealed_for_another_incident_counts_for_that_one_alone(
    ledger: Ledger, database_url: str
) -> None:
    approval, epoch = await apply(ledger)
    await ledger.incidents.set_verification(approval.proposal.incident_id, epoch, VERIFIED)
    other, _ = await propose(ledger)
    await query(
        database_url,
        text(
            "UPDATE incidents SET verdict = 'verified', verification = (SELECT verification FROM incidents "
            "WHERE verdict = 'verified')"
        ),
    )

    assert (await ledger.incidents.find(other.proposal.incident_id)).verdict is None
    assert (await ledger.incidents.find(approval.proposal.incident_id)).verdict == "verified"
