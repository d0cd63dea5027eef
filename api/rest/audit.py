"""The audit over REST: who did what, and whether the records are unchanged.

Reading it needs the role approver: the rows contain names, reasons and whole patches, which the tokens of
dashboards don't need, while approvers must be able to look up earlier decisions.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query

from api.rest.auth import Admin, Approver
from api.rest.dependencies import Dependencies
from api.rest.incidents import Continue, Limit
from api.rest.openapi import answers
from api.rest.openapi_examples import ACCEPT_BODY, ACCEPTED, AUDIT, AUDIT_VERIFICATION
from api.rest.schemas import AcceptBody, Accepted, AuditList
from checkpoints.audit.hash_chain import Verification
from checkpoints.audit.log import Action

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@dataclass(frozen=True)
class Filters:
    """Filters of a list of audit entries."""

    incident: Annotated[str | None, Query(description="Only what concerns this incident.")] = None
    approval: Annotated[str | None, Query(description="Only what concerns this approval.")] = None
    actor: Annotated[
        str | None, Query(description="Only actions of this person; `mendgate` is the service.")
    ] = None
    action: Annotated[Action | None, Query(description="Only actions of this kind.")] = None


@router.get("", responses=answers(200, "Newest first.", AUDIT, refusals=(401, 403, 422, 503)))
async def list_audit(
    dependencies: Dependencies,
    _caller: Approver,
    filters: Annotated[Filters, Depends()],
    limit: Limit = 50,
    continue_: Continue = None,
) -> AuditList:
    """List who did what, newest first."""
    entries, token = await dependencies.ledger.audit.page(
        incident_id=filters.incident,
        approval_id=filters.approval,
        actor=filters.actor,
        action=filters.action,
        limit=limit,
        token=continue_,
    )
    return AuditList(items=tuple(entries), continue_=token)


@router.get(
    "/verify", responses=answers(200, "What was found.", AUDIT_VERIFICATION, refusals=(401, 403, 503))
)
async def verify_audit(dependencies: Dependencies, _caller: Approver) -> Verification:
    """Verify every row against the key, and the newest row against the remembered one."""
    found = await dependencies.ledger.audit.verify()
    dependencies.metrics.note_audit(found.intact)
    return found


@router.post("/acceptance", responses=answers(200, "Accepted.", ACCEPTED, refusals=(401, 403, 409, 422, 503)))
async def accept_audit(
    dependencies: Dependencies,
    caller: Admin,
    body: Annotated[AcceptBody, Body(openapi_examples={"restored": {"value": ACCEPT_BODY}})],
) -> Accepted:
    """Accept the audit and the stops as they are, so that writes are possible again.

    Earlier proposals and approvals aren't executed any more: a new proposal is needed.
    """
    return Accepted(doubt=await dependencies.ledger.acceptance.accept(by=caller.name, reason=body.reason))
