"""Incidents over REST: their state, evidence, timeline and report."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import PlainTextResponse
from sse_starlette import EventSourceResponse

from api.rest.auth import Approver, Bearer, Viewer, may_look
from api.rest.dependencies import Dependencies
from api.rest.event_stream import LiveTimeline, as_events
from api.rest.openapi import answers
from api.rest.openapi_examples import EVENTS, EVIDENCE, INCIDENT, INCIDENTS, REPORT, WOKEN
from api.rest.problems import ReportNotWritten
from api.rest.schemas import EvidenceList, IncidentList, Woken
from graph.domain.incident import ACTIVE, Incident, IncidentStatus

router = APIRouter(prefix="/v1/incidents", tags=["incidents"])
Limit = Annotated[int, Query(ge=1, le=200, description="How many to return at most.")]
About = Annotated[
    str, Query(max_length=200, description="Only those with this text in the target or the alert's name.")
]
Continue = Annotated[
    str | None,
    Query(alias="continue", description="The value of `continue` from the previous page, unchanged."),
]


class Markdown(PlainTextResponse):
    """A report as it was stored."""

    media_type = "text/markdown"


async def _find_start(
    after: Annotated[int, Query(ge=0, description="Leave out the lines up to this number.")] = 0,
    last_event_id: Annotated[
        int | None, Header(ge=0, description="The same, as browsers send it on a reconnect.")
    ] = None,
) -> int:
    return after if last_event_id is None else last_event_id


Start = Annotated[int, Depends(_find_start)]


@router.get("", responses=answers(200, "Newest first.", INCIDENTS, refusals=(401, 403, 422, 503)))
async def list_incidents(
    dependencies: Dependencies,
    _caller: Viewer,
    status: Annotated[IncidentStatus | None, Query(description="Only those with this status.")] = None,
    about: About = "",
    limit: Limit = 50,
    continue_: Continue = None,
) -> IncidentList:
    """List incidents, newest first."""
    page = await dependencies.ledger.incidents.page(status=status, about=about, limit=limit, token=continue_)
    return IncidentList(items=page.items, continue_=page.continue_)


@router.get(
    "/{incident_id}", responses=answers(200, "The incident.", INCIDENT, refusals=(401, 403, 404, 503))
)
async def read_incident(incident_id: str, dependencies: Dependencies, _caller: Viewer) -> Incident:
    """Read one incident."""
    return await dependencies.ledger.incidents.find(incident_id)


@router.get(
    "/{incident_id}/report",
    response_class=Markdown,
    responses=answers(200, "Markdown.", REPORT, refusals=(401, 403, 404, 503), media_type="text/markdown"),
)
async def read_report(incident_id: str, dependencies: Dependencies, _caller: Viewer) -> Response:
    """Read the report. It is written when the incident ends, and answers 404 until then."""
    report = await dependencies.ledger.incidents.report(incident_id)
    if report is None:
        incident = await dependencies.ledger.incidents.find(incident_id)
        raise ReportNotWritten(
            f"incident {incident_id} is {incident.status}; its report is written when it ends"
        )
    return Markdown(report)


@router.get(
    "/{incident_id}/events",
    response_class=EventSourceResponse,
    responses=answers(
        200,
        "Server-sent events.",
        EVENTS,
        refusals=(401, 403, 404, 422, 429, 503),
        media_type="text/event-stream",
    )
    | {204: {"description": "The incident has ended and there are no more lines: don't connect again."}},
)
async def follow_incident(
    incident_id: str,
    dependencies: Dependencies,
    caller: Viewer,
    bearer: Bearer,
    start: Start,
) -> Response:
    """Follow the timeline live: every line so far and every new one, until the incident has ended.

    An event's id is the line's number, its name the line's kind, its data the line as JSON. The stream also
    ends when the token doesn't let its holder read any more.
    """
    incident = await dependencies.ledger.incidents.find(incident_id)
    if incident.status not in ACTIVE and not await dependencies.ledger.incidents.entries(
        incident_id, after=start
    ):
        return Response(status_code=204)
    give_back = dependencies.streams.take(caller.name)
    still_allowed = partial(may_look, dependencies, bearer)
    lines = dependencies.streams.follow(
        dependencies.ledger.incidents, incident_id, start, dependencies.closing, still_allowed
    )
    return LiveTimeline(as_events(lines), give_back)


@router.get(
    "/{incident_id}/evidence",
    responses=answers(200, "Oldest first.", EVIDENCE, refusals=(401, 403, 404, 503)),
)
async def list_evidence(incident_id: str, dependencies: Dependencies, _caller: Viewer) -> EvidenceList:
    """Read the full answer of every tool call that the diagnosis made."""
    return EvidenceList(items=tuple(await dependencies.ledger.incidents.evidence(incident_id)))


@router.post(
    "/{incident_id}/retry",
    status_code=202,
    responses=answers(202, "The incident runs again.", WOKEN, refusals=(401, 403, 404, 409, 503)),
)
async def retry_incident(incident_id: str, dependencies: Dependencies, caller: Approver) -> Woken:
    """Retry a failed incident: from where it failed, or from the start if its run had ended."""
    await dependencies.retry(incident_id, caller.name)
    return Woken(incident_id=incident_id)
