"""Approvals over REST: read exactly what would be done, then approve or reject it.

A decision is recorded here and nothing else: the run goes on through the runner, never inside the request.
The decider's name comes from the token, never from the body.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header, Query, Response

from api.http_server.strict_json import StrictRoute
from api.rest.auth import Approver, Viewer
from api.rest.dependencies import Dependencies
from api.rest.incidents import Continue, Limit
from api.rest.openapi import Responses, answers
from api.rest.openapi_examples import (
    APPROVAL,
    APPROVALS,
    APPROVE,
    APPROVED,
    EDIT,
    EDITED,
    REJECT,
    REJECTED,
    RESOLVE,
    RESOLVED,
    REVOKE,
    REVOKED,
)
from api.rest.problems import FieldProblem, InvalidBody
from api.rest.schemas import (
    ApprovalList,
    ApprovalView,
    ApproveBody,
    EditBody,
    RejectBody,
    ResolutionBody,
    RevokeBody,
)
from checkpoints.approvals.store import DecisionKind
from graph.domain.proposal import Approval, ApprovalStatus
from tools.errors import BadInput

router = APIRouter(route_class=StrictRoute, prefix="/v1/approvals", tags=["approvals"])
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The digest of the proposal you reviewed.")
]


@dataclass(frozen=True)
class DecisionRequest:
    """A decision about one approval: what every kind of decision needs from the request."""

    approval_id: str
    dependencies: Dependencies
    caller: Approver
    response: Response
    if_match: IfMatch = None

    async def decide(self, verdict: DecisionKind, digest: str | None, reason: str) -> ApprovalView:
        """Record the decision and wake the incident; set 200 instead of 201 if nothing new was recorded."""
        approval, recorded = await self.dependencies.ledger.decisions.decide(
            self.approval_id,
            by=self.caller.name,
            verdict=verdict,
            digest=_seen(digest, self.if_match),
            reason=reason,
            role=self.caller.role,
        )
        return self.answer(approval, recorded)

    def answer(self, approval: Approval, recorded: bool) -> ApprovalView:
        """Wake the incident if something was recorded, else turn 201 into 200; show the approval."""
        self.response.headers["ETag"] = f'"{approval.digest}"'
        if recorded:
            self.dependencies.wake(approval.proposal.incident_id)
        else:
            self.response.status_code = 200
        return ApprovalView.of(approval)


DecisionRequestIn = Annotated[DecisionRequest, Depends()]
_REFUSALS = (401, 403, 404, 409, 410, 412, 422)


def _decided(example: object, *refusals: int) -> Responses:
    again = answers(200, "Already decided this way; nothing new was recorded.", example, refusals=())
    again[200]["model"] = ApprovalView
    return answers(201, "Recorded.", example, refusals=(*_REFUSALS, *refusals, 503)) | again


@router.get("", responses=answers(200, "Newest first.", APPROVALS, refusals=(401, 403, 422, 503)))
async def list_approvals(
    dependencies: Dependencies,
    _caller: Viewer,
    status: Annotated[ApprovalStatus | None, Query(description="Only those with this status.")] = None,
    namespace: Annotated[str | None, Query(description="Only those whose target is there.")] = None,
    limit: Limit = 50,
    continue_: Continue = None,
) -> ApprovalList:
    """List approvals, newest first."""
    page = await dependencies.ledger.approvals.page(
        status=status, namespace=namespace, limit=limit, token=continue_
    )
    return ApprovalList(items=tuple(ApprovalView.of(one) for one in page.items), continue_=page.continue_)


@router.get(
    "/{approval_id}",
    responses=answers(200, "The approval; the ETag is its digest.", APPROVAL, refusals=(401, 403, 404, 503)),
)
async def read_approval(
    approval_id: str, dependencies: Dependencies, _caller: Viewer, response: Response
) -> ApprovalView:
    """Read one approval: the exact call, its diff, how it will be verified, how it can be undone."""
    approval = await dependencies.ledger.approvals.find(approval_id)
    response.headers["ETag"] = f'"{approval.digest}"'
    return ApprovalView.of(approval)


@router.post("/{approval_id}/approve", status_code=201, responses=_decided(APPROVED, 423, 428))  # noqa: FAST003 -- `DecisionRequest` takes it
async def approve(
    request: DecisionRequestIn,
    body: Annotated[ApproveBody | None, Body(openapi_examples={"approve": {"value": APPROVE}})] = None,
) -> ApprovalView:
    """Approve exactly the change with this digest."""
    decision = body or ApproveBody()
    return await request.decide("approve", decision.digest, decision.reason)


@router.post("/{approval_id}/reject", status_code=201, responses=_decided(REJECTED))  # noqa: FAST003 -- `DecisionRequest` takes it
async def reject(
    request: DecisionRequestIn,
    body: Annotated[RejectBody, Body(openapi_examples={"reject": {"value": REJECT}})],
) -> ApprovalView:
    """Reject the change. Always possible, also while writes are stopped."""
    return await request.decide("reject", body.digest, body.reason)


@router.post(
    "/{approval_id}/edit",  # noqa: FAST003 -- `DecisionRequest` takes it
    status_code=201,
    responses=answers(
        201, "The edited proposal's own approval, pending.", EDITED, refusals=(*_REFUSALS, 503)
    ),
)
async def edit(
    request: DecisionRequestIn, body: Annotated[EditBody, Body(openapi_examples={"edit": {"value": EDIT}})]
) -> ApprovalView:
    """Replace the proposal by an edited one. It is previewed again, and needs its own approval."""
    editor = request.dependencies.editor
    if editor is None:
        raise BadInput("editing needs a write credential: set MENDGATE_WRITE_KUBECONFIG")
    seen = _seen(body.digest, request.if_match)
    edited = await editor.edit(
        request.approval_id, body.arguments, by=request.caller.name, digest=seen, reason=body.reason
    )
    return request.answer(edited, recorded=True)


@router.post("/{approval_id}/revoke", status_code=201, responses=_decided(REVOKED))  # noqa: FAST003 -- `DecisionRequest` takes it
async def revoke(
    request: DecisionRequestIn,
    body: Annotated[RevokeBody, Body(openapi_examples={"revoke": {"value": REVOKE}})],
) -> ApprovalView:
    """Revoke an approval before its execution starts."""
    return request.answer(
        *await request.dependencies.ledger.settlements.revoke(
            request.approval_id, by=request.caller.name, reason=body.reason
        )
    )


@router.post("/{approval_id}/resolution", status_code=201, responses=_decided(RESOLVED))  # noqa: FAST003 -- `DecisionRequest` takes it
async def resolve(
    request: DecisionRequestIn,
    body: Annotated[ResolutionBody, Body(openapi_examples={"resolve": {"value": RESOLVE}})],
) -> ApprovalView:
    """Record how an execution with an unknown outcome ended. An applied change is then verified."""
    return request.answer(
        *await request.dependencies.ledger.settlements.resolve(
            request.approval_id, finding=body.outcome, by=request.caller.name, reason=body.reason
        )
    )


def _seen(digest: str | None, if_match: str | None) -> str | None:
    """Return the digest that was sent, in the body or as `If-Match`; `*` counts as none."""
    header = (if_match or "").strip().strip('"')
    if header in {"", "*"}:
        return digest
    if digest not in (None, header):
        errors = [FieldProblem(detail="differs from If-Match", pointer="/digest")]
        raise InvalidBody("/digest: the body and If-Match name different digests: send one", errors)
    return header
