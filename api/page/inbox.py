"""The front page, with what waits for a person, and the history of incidents."""

from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.incident_routes import About, Continue
from api.page.answers import PageRoute, show
from api.page.visitors import Looking
from graph.incident import Incident, IncidentStatus
from graph.proposal import Approval, ApprovalStatus

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_WAITING, _LATEST, _HISTORY = 100, 8, 25
_STATUSES: tuple[IncidentStatus, ...] = get_args(IncidentStatus)


@router.get("/")
async def read_inbox(visitor: Looking) -> Response:
    """Show what waits for a decision, the most urgent first, and the latest incidents."""
    ledger = visitor.door.ledger
    pending = await _find_waiting(visitor, "pending")
    unknown = await _find_waiting(visitor, "unknown")
    latest = (await ledger.incidents.page(limit=_LATEST)).items
    return show(
        visitor, "inbox.html",
        pending=sorted(pending, key=lambda pair: pair[0].decide_by), unknown=unknown, latest=latest,
        standing=await ledger.stops.standing(),
    )  # fmt: skip


@router.get("/history")
async def read_history(
    visitor: Looking,
    status: Annotated[IncidentStatus | Literal[""], Query()] = "",
    about: About = "",
    continue_: Continue = None,
) -> Response:
    """Show incidents, newest first, a page at a time."""
    page = await visitor.door.ledger.incidents.page(
        status=status or None, about=about, limit=_HISTORY, token=continue_
    )
    return show(
        visitor, "history.html", incidents=page.items, next_token=page.continue_, wanted=status, about=about,
        statuses=_STATUSES,
    )  # fmt: skip


async def _find_waiting(visitor: Looking, status: ApprovalStatus) -> list[tuple[Approval, Incident]]:
    ledger = visitor.door.ledger
    page = await ledger.approvals.page(status=status, limit=_WAITING)
    incidents = await ledger.incidents.find_all([one.proposal.incident_id for one in page.items])
    return [(one, incidents[one.proposal.incident_id]) for one in page.items]
