"""Approvals on a ledger of their own, and the hands of somebody who can write to its database."""

from typing import Any

from sqlalchemy import update

from checkpoints.db.tables import ApprovalRow
from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.ids import new_id
from graph.domain.proposal import Approval, ApprovalTerms, Proposal
from tests.databases import query
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import Grant, Outcome


async def propose(ledger: Ledger, terms: ApprovalTerms | None = None, **changes: Any) -> tuple[Approval, int]:
    """Let an incident of its own propose to change an object of its own, under the ledger's policy."""
    name = new_id("apr")
    body = real_body()
    for alert in body["alerts"]:
        alert["fingerprint"] = f"{alert['fingerprint']}{name}"
        alert["labels"] = {**alert["labels"], "pod": name, "deployment": name}
    receipt = await ledger.intake.accept(AlertGroup.model_validate(body), name.encode())
    (incident_id,) = receipt.incident_ids
    epoch = await ledger.incidents.begin_run(incident_id)
    proposal = make_proposal(
        id=name,
        incident_id=incident_id,
        policy_version=ledger.policy.version,
        **{"target_uid": name, **changes},
    )
    return await ledger.approvals.propose(proposal, epoch, terms or ApprovalTerms()), epoch


async def approve(ledger: Ledger, approval: Approval, by: str = "alice", digest: str = "") -> Approval:
    """Let somebody approve what they see, or what has this digest."""
    decided, _ = await ledger.decisions.decide(
        approval.id, by=by, verdict="approve", digest=digest or approval.digest, reason="", role="approver"
    )
    return decided


async def overwrite(url: str, approval: Approval, **columns: Any) -> None:
    """Write columns of an approval's row, as whoever has the database can."""
    await query(url, update(ApprovalRow).where(ApprovalRow.id == approval.id).values(**columns))


async def put_in_place(url: str, approval: Approval, **changes: Any) -> Proposal:
    """Exchange a stored proposal, and its digest with it; return the forged one."""
    document = approval.proposal.model_dump(mode="json") | changes
    forged = Proposal.model_validate(document)
    await overwrite(url, approval, proposal=forged.model_dump(mode="json"), digest=forged.digest)
    return forged


async def stopped_by(ledger: Ledger) -> str:
    """Return what stops every write, as a text."""
    return str((await ledger.stops.standing()).stopped_by)


async def apply(ledger: Ledger) -> tuple[Approval, int]:
    """Have an approval executed by the book."""
    approval, epoch = await propose(ledger)
    await approve(ledger, approval)
    assert isinstance(await ledger.approvals.claim(approval.id, approval.digest, epoch), Grant)
    await ledger.approvals.record_intent(
        approval.id, epoch, resource_version="41", generation=7, expected="e0"
    )
    await ledger.approvals.record_outcome(approval.id, epoch, Outcome(kind="applied", detail="done"))
    return approval, epoch
