"""Decisions from the page: the API's own handlers, with the form in the place of a request body.

There is no second way through the gate: the form carries the digest that was shown, and the decision is made
in the name of the session's bearer token.
"""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from api.page.auth import PageSession, RequireApprover
from api.page.errors import explain, fill
from api.page.incident import show_incident
from api.page.rendering import PageRoute
from api.rest import approvals, incidents
from api.rest.approvals import DecisionRequest
from api.rest.schemas import ApproveBody, EditBody, RejectBody, ResolutionBody, RevokeBody
from tools.errors import BadInput, MendgateError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Text = Annotated[str, Form()]


@router.post("/approvals/{approval_id}/approve")
async def approve(approval_id: str, page_session: RequireApprover, digest: Text = "") -> Response:
    """Approve exactly the change that was shown."""

    async def act(decision: DecisionRequest) -> None:
        await approvals.approve(decision, fill(ApproveBody, digest=digest or None))

    return await _decide(page_session, approval_id, "approve", act)


@router.post("/approvals/{approval_id}/reject")
async def reject(
    approval_id: str, page_session: RequireApprover, digest: Text = "", reason: Text = ""
) -> Response:
    """Reject the change."""

    async def act(decision: DecisionRequest) -> None:
        await approvals.reject(decision, fill(RejectBody, digest=digest or None, reason=reason))

    return await _decide(page_session, approval_id, "reject", act)


@router.post("/approvals/{approval_id}/edit")
async def edit(
    approval_id: str, page_session: RequireApprover, digest: Text = "", reason: Text = "", patch: Text = ""
) -> Response:
    """Replace the proposal by one with an edited patch."""

    async def act(decision: DecisionRequest) -> None:
        shown = await page_session.dependencies.ledger.approvals.find(approval_id)
        arguments = shown.proposal.arguments.as_json() | {"patchData": _parse_patch(patch)}
        body = fill(EditBody, arguments=arguments, digest=digest or None, reason=reason)
        await approvals.edit(decision, body)

    return await _decide(page_session, approval_id, "edit", act, edited=patch)


@router.post("/approvals/{approval_id}/revoke")
async def revoke(approval_id: str, page_session: RequireApprover, reason: Text = "") -> Response:
    """Take an approval back."""

    async def act(decision: DecisionRequest) -> None:
        await approvals.revoke(decision, fill(RevokeBody, reason=reason))

    return await _decide(page_session, approval_id, "revoke", act)


@router.post("/approvals/{approval_id}/settle")
async def settle(
    approval_id: str, page_session: RequireApprover, outcome: Text = "", reason: Text = ""
) -> Response:
    """Record how an execution with an unknown outcome ended."""

    async def act(decision: DecisionRequest) -> None:
        await approvals.resolve(decision, fill(ResolutionBody, outcome=outcome, reason=reason))

    return await _decide(page_session, approval_id, "settle", act)


@router.post("/incidents/{incident_id}/retry")
async def retry(incident_id: str, page_session: RequireApprover) -> Response:
    """Retry a failed incident."""
    try:
        await incidents.retry_incident(incident_id, page_session.dependencies, page_session.caller)
    except MendgateError as error:
        return await show_incident(page_session, incident_id, refusal=explain(error))
    return _lead_back(incident_id, "retry")


async def _decide(
    page_session: PageSession,
    approval_id: str,
    said: str,
    act: Callable[[DecisionRequest], Awaitable[None]],
    edited: str = "",
) -> Response:
    """Decide through the API's own handler; show the incident with the reason if the gate refuses."""
    approval = await page_session.dependencies.ledger.approvals.find(approval_id)
    incident_id = approval.proposal.incident_id
    try:
        await act(DecisionRequest(approval_id, page_session.dependencies, page_session.caller, Response()))
    except MendgateError as error:
        return await show_incident(page_session, incident_id, refusal=explain(error), edited=edited)
    return _lead_back(incident_id, said)


def _lead_back(incident_id: str, said: str) -> Response:
    return RedirectResponse(f"/incidents/{incident_id}?said={said}", HTTPStatus.SEE_OTHER)


def _parse_patch(patch: str) -> Any:
    try:
        return json.loads(patch)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the patch isn't valid JSON: {error}") from error
