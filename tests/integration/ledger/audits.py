"""What the audit's tests share: a story to be audited, and hands on the table behind the service's back."""

from sqlalchemy import text

from checkpoints.audit.hash_chain import FaultKind, Verification
from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.proposal import Approval
from tests.databases import query
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import Outcome


async def tell_story(ledger: Ledger) -> Approval:
    """Let a change be proposed, approved by alice and applied: rows 2 to 6, behind the one that begins."""
    receipt = await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    (incident_id,) = receipt.incident_ids
    epoch = await ledger.incidents.begin_run(incident_id)
    approval = await ledger.approvals.propose(make_proposal(incident_id=incident_id), epoch)
    await ledger.decisions.decide(
        approval.id, by="alice", verdict="approve", digest=approval.digest, reason="it ran last week"
    )
    await ledger.approvals.claim(approval.id, approval.digest, epoch)
    await ledger.approvals.record_intent(
        approval.id, epoch, resource_version="41", generation=7, expected="e0"
    )
    await ledger.approvals.record_outcome(approval.id, epoch, Outcome(kind="applied", detail="done"))
    return approval


async def tamper(url: str, *statements: str) -> None:
    """Change the table as somebody who owns the database can: without the triggers."""
    if url.startswith("sqlite"):
        unlock = [f"DROP TRIGGER IF EXISTS audit_{number}" for number in range(3)]
    else:
        unlock = ["ALTER TABLE audit DISABLE TRIGGER USER"]
    for statement in (*unlock, *statements):
        await query(url, text(statement))


def told(found: Verification) -> list[tuple[int, FaultKind]]:
    """Return where the faults are, and of what kind."""
    return [(fault.seq, fault.kind) for fault in found.faults]
