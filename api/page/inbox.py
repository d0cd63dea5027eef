"""The front page, with what waits for a person, and the history of incidents."""

from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.page.auth import RequireViewer
from api.page.rendering import PageRoute, show
from api.rest.incidents import About, Continue
from graph.domain.incident import Incident, IncidentStatus
from graph.domain.proposal import Approval, ApprovalStatus

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_WAITING, _LATEST, _HISTORY = 100, 8, 25
_STATUSES: tuple[IncidentStatus, ...] = get_args(IncidentStatus)


@router.get("/")
async def read_inbox(page_session: RequireViewer) -> Response:
    """Show what waits for a decision, the most urgent first, and the latest incidents."""
    ledger = page_session.dependencies.ledger
    pending = await _find_waiting(page_session, "pending")
    unknown = await _find_waiting(page_session, "unknown")
    latest = (await ledger.incidents.page(limit=_LATEST)).items
    return show(
        page_session, "inbox.html",
        pending=sorted(pending, key=lambda pair: pair[0].decide_by), unknown=unknown, latest=latest,
        standing=await ledger.stops.standing(),
    )  # fmt: skip


@router.get("/history")
async def read_history(
    page_session: RequireViewer,
    status: Annotated[IncidentStatus | Literal[""], Query()] = "",
    about: About = "",
    continue_: Continue = None,
) -> Response:
    """Show incidents, newest first, a page at a time."""
    page = await page_session.dependencies.ledger.incidents.page(
        status=status or None, about=about, limit=_HISTORY, token=continue_
    )
    return show(
        page_session, "history.html", incidents=page.items, next_token=page.continue_, wanted=status,
        about=about, statuses=_STATUSES,
    )  # fmt: skip


async def _find_waiting(
    page_session: RequireViewer, status: ApprovalStatus
) -> list[tuple[Approval, Incident]]:
    ledger = page_session.dependencies.ledger
    page = await ledger.approvals.page(status=status, limit=_WAITING)
    incidents = await ledger.incidents.find_all([one.proposal.incident_id for one in page.items])
    return [(one, incidents[one.proposal.incident_id]) for one in page.items]
