"""Decisions from the page: the very routes of the API, with what the form says in the place of a body.

There is no second way through the gate: the form carries the digest that was shown, and who decides is whose
bearer the session holds.
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
    """Let exactly the change happen that was shown."""

    async def act(desk: DecisionRequest) -> None:
        await approvals.approve(desk, fill(ApproveBody, digest=digest or None))

    return await _decide(page_session, approval_id, "approve", act)


@router.post("/approvals/{approval_id}/reject")
async def reject(
    approval_id: str, page_session: RequireApprover, digest: Text = "", reason: Text = ""
) -> Response:
    """Keep the change from happening."""

    async def act(desk: DecisionRequest) -> None:
        await approvals.reject(desk, fill(RejectBody, digest=digest or None, reason=reason))

    return await _decide(page_session, approval_id, "reject", act)


@router.post("/approvals/{approval_id}/edit")
async def edit(
    approval_id: str, page_session: RequireApprover, digest: Text = "", reason: Text = "", patch: Text = ""
) -> Response:
    """Put a patch of one's own in the proposal's place."""

    async def act(desk: DecisionRequest) -> None:
        shown = await page_session.dependencies.ledger.approvals.find(approval_id)
        arguments = shown.proposal.arguments.as_json() | {"patchData": _parse_patch(patch)}
        body = fill(EditBody, arguments=arguments, digest=digest or None, reason=reason)
        await approvals.edit(desk, body)

    return await _decide(page_session, approval_id, "edit", act, edited=patch)


@router.post("/approvals/{approval_id}/revoke")
async def revoke(approval_id: str, page_session: RequireApprover, reason: Text = "") -> Response:
    """Take an approval back."""

    async def act(desk: DecisionRequest) -> None:
        await approvals.revoke(desk, fill(RevokeBody, reason=reason))

    return await _decide(page_session, approval_id, "revoke", act)


@router.post("/approvals/{approval_id}/settle")
async def settle(
    approval_id: str, page_session: RequireApprover, outcome: Text = "", reason: Text = ""
) -> Response:
    """Say how an execution ended whose end is unknown."""

    async def act(desk: DecisionRequest) -> None:
        await approvals.resolve(desk, fill(ResolutionBody, outcome=outcome, reason=reason))

    return await _decide(page_session, approval_id, "settle", act)


@router.post("/incidents/{incident_id}/retry")
async def retry(incident_id: str, page_session: RequireApprover) -> Response:
    """Set a failed incident going again."""
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
    """Decide at the API's desk; show the incident with the refusal where the gate refuses."""
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
        raise BadInput(f"the patch isn't JSON: {error}") from error
