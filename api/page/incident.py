"""One incident's page: its progress, the proposal, the evidence and the timeline."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query
from sse_starlette import ServerSentEvent
from starlette.responses import RedirectResponse, Response

from api.page.announcements import find_said
from api.page.auth import PageSession, RequireViewer
from api.page.errors import Refusal
from api.page.filters import find_line_tone, say_clock, spell, stamp
from api.page.progress import find_steps
from api.page.rendering import PageRoute, show
from api.page.reports import render_report
from api.rest.auth import may_look
from api.rest.event_stream import LiveTimeline
from api.rest.incidents import read_report
from graph.domain.incident import ACTIVE, Entry, Incident
from graph.domain.proposal import Approval
from graph.report.timeline_text import tell
from tools.kubernetes.patch import APPROVAL_PATH
from tools.off_loop import answer_off_loop
from tools.text.plain_text import make_plain

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/incidents/{incident_id}")
async def read_incident(
    incident_id: str, page_session: RequireViewer, said: Annotated[str, Query()] = ""
) -> Response:
    """Show one incident; `said` is what the person has just done."""
    return await show_incident(page_session, incident_id, said=said)


@router.get("/approvals/{approval_id}")
async def find_approval(approval_id: str, page_session: RequireViewer) -> Response:
    """Redirect to the incident of an approval."""
    approval = await page_session.dependencies.ledger.approvals.find(approval_id)
    return RedirectResponse(f"/incidents/{approval.proposal.incident_id}", HTTPStatus.SEE_OTHER)


@router.get("/incidents/{incident_id}/report.md")
async def download_report(incident_id: str, page_session: RequireViewer) -> Response:
    """Return the report as it was stored."""
    report = await read_report(incident_id, page_session.dependencies, page_session.caller)
    report.headers["Content-Disposition"] = f'attachment; filename="{incident_id}.md"'
    return report


@router.get("/incidents/{incident_id}/lines")
async def follow_lines(
    incident_id: str,
    page_session: RequireViewer,
    after: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> Response:
    """Stream the timeline's lines as the page shows them, while the session is valid; 204 at the end."""
    start = after if last_event_id is None else last_event_id
    incidents = page_session.dependencies.ledger.incidents
    incident = await incidents.find(incident_id)
    if incident.status not in ACTIVE and not await incidents.entries(incident_id, after=start):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    give_back = page_session.dependencies.streams.take(page_session.caller.name)
    return LiveTimeline(_tell_lines(page_session, incident_id, start), give_back)


async def show_incident(
    page_session: PageSession,
    incident_id: str,
    *,
    said: str = "",
    refusal: Refusal | None = None,
    edited: str = "",
) -> Response:
    """Show one incident with the result of the last form; `edited` is the patch of a refused edit."""
    ledger = page_session.dependencies.ledger
    incident = await ledger.incidents.find(incident_id)
    approvals = [await ledger.approvals.find(one) for one in incident.approval_ids]
    timeline = await ledger.incidents.entries(incident_id)
    report = await ledger.incidents.report(incident_id)
    return await answer_off_loop(
        show, page_session, "incident.html", refusal.status if refusal else HTTPStatus.OK,
        incident=incident, approval=approvals[-1] if approvals else None, earlier=approvals[:-1],
        alerts=(await ledger.incidents.group(incident_id)).alerts,
        evidence=await ledger.incidents.evidence(incident_id), timeline=timeline,
        bar=_find_bar(page_session, approvals[-1]) if approvals else "", steps=find_steps(incident, timeline),
        report=await answer_off_loop(render_report, report) if report else None,
        standing=await ledger.stops.standing(_namespace_of(incident, approvals)),
        is_active=incident.status in ACTIVE,
        said=said, news=find_said(said, page_session.caller.name, approvals, incident),
        refusal=refusal, edited=edited, stamp_path=APPROVAL_PATH,
    )  # fmt: skip


def _namespace_of(incident: Incident, approvals: Sequence[Approval]) -> str | None:
    """Return the namespace of the newest proposal, or of the incident's target."""
    target = approvals[-1].proposal.target if approvals else incident.target
    return target.namespace if target else None


def _find_bar(page_session: PageSession, approval: Approval) -> str:
    """Return why this person can't approve, or nothing. Only a hint: the gate decides."""
    name = page_session.caller.name
    if name == approval.requested_by and not approval.own_approval:
        return "You edited this proposal, so somebody else must approve it."
    if name in approval.approved_by:
        return f"You have approved this. {approval.tally}"
    if not approval.may_be_approved_by(name, page_session.caller.role):
        return f"Others must approve this: {', '.join(approval.approvers)}."
    return ""


async def _tell_lines(
    page_session: PageSession, incident_id: str, after: int
) -> AsyncGenerator[ServerSentEvent]:
    dependencies = page_session.dependencies
    still_allowed = partial(may_look, dependencies, page_session.session.bearer)
    entries = dependencies.streams.follow(
        dependencies.ledger.incidents, incident_id, after, dependencies.closing, still_allowed
    )
    async with aclosing(entries):
        async for entry in entries:
            yield ServerSentEvent(id=str(entry.seq), event="line", data=_show_line(entry))


def _show_line(entry: Entry) -> str:
    line = {
        "seq": entry.seq,
        "at": stamp(entry.at),
        "clock": say_clock(entry.at),
        "kind": spell(entry.kind),
        "text": make_plain(tell(entry)),
        "tone": find_line_tone(entry),
    }
    return json.dumps(line)
