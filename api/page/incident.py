"""An incident as a person reads it: where it stands, what is proposed, what it rests on, what happened."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query
from sse_starlette import ServerSentEvent
from starlette.responses import RedirectResponse, Response

from api.auth import may_look
from api.events import LiveTimeline
from api.incident_routes import read_report
from api.page.answers import PageRoute, show
from api.page.refusals import Refusal
from api.page.reports import render_report
from api.page.said import find_said
from api.page.steps import find_steps
from api.page.visitors import Looking, Visitor
from api.page.words import find_line_tone, say_clock, spell, stamp
from api.telling import tell
from graph.incident import ACTIVE, Entry, Incident
from graph.proposal import Approval
from tools.off_loop import answer_off_loop
from tools.patch import APPROVAL_PATH
from tools.plain_text import make_plain

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/incidents/{incident_id}")
async def read_incident(incident_id: str, visitor: Looking, said: Annotated[str, Query()] = "") -> Response:
    """Show one incident; `said` is what the visitor has just done."""
    return await show_incident(visitor, incident_id, said=said)


@router.get("/approvals/{approval_id}")
async def find_approval(approval_id: str, visitor: Looking) -> Response:
    """Lead to the incident of an approval."""
    approval = await visitor.door.ledger.approvals.find(approval_id)
    return RedirectResponse(f"/incidents/{approval.proposal.incident_id}", HTTPStatus.SEE_OTHER)


@router.get("/incidents/{incident_id}/report.md")
async def download_report(incident_id: str, visitor: Looking) -> Response:
    """Hand out the report as it was stored."""
    report = await read_report(incident_id, visitor.door, visitor.caller)
    report.headers["Content-Disposition"] = f'attachment; filename="{incident_id}.md"'
    return report


@router.get("/incidents/{incident_id}/lines")
async def follow_lines(
    incident_id: str,
    visitor: Looking,
    after: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> Response:
    """Follow the timeline in the page's words, as long as the session counts; 204 once there is no more."""
    start = after if last_event_id is None else last_event_id
    incidents = visitor.door.ledger.incidents
    incident = await incidents.find(incident_id)
    if incident.status not in ACTIVE and not await incidents.entries(incident_id, after=start):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    give_back = visitor.door.streams.take(visitor.caller.name)
    return LiveTimeline(_tell_lines(visitor, incident_id, start), give_back)


async def show_incident(
    visitor: Visitor, incident_id: str, *, said: str = "", refusal: Refusal | None = None, edited: str = ""
) -> Response:
    """Show one incident with what came of the visitor's last form; `edited` is a patch they wrote."""
    ledger = visitor.door.ledger
    incident = await ledger.incidents.find(incident_id)
    approvals = [await ledger.approvals.find(one) for one in incident.approval_ids]
    timeline = await ledger.incidents.entries(incident_id)
    report = await ledger.incidents.report(incident_id)
    return await answer_off_loop(
        show, visitor, "incident.html", refusal.status if refusal else HTTPStatus.OK,
        incident=incident, approval=approvals[-1] if approvals else None, earlier=approvals[:-1],
        alerts=(await ledger.incidents.group(incident_id)).alerts,
        evidence=await ledger.incidents.evidence(incident_id), timeline=timeline,
        bar=_find_bar(visitor, approvals[-1]) if approvals else "", steps=find_steps(incident, timeline),
        report=await answer_off_loop(render_report, report) if report else None,
        standing=await ledger.stops.standing(_namespace_of(incident, approvals)),
        is_active=incident.status in ACTIVE,
        said=said, news=find_said(said, visitor.caller.name, approvals, incident),
        refusal=refusal, edited=edited, stamp_path=APPROVAL_PATH,
    )  # fmt: skip


def _namespace_of(incident: Incident, approvals: Sequence[Approval]) -> str | None:
    """Return where the newest proposal would write, else where the incident's target is."""
    target = approvals[-1].proposal.target if approvals else incident.target
    return target.namespace if target else None


def _find_bar(visitor: Visitor, approval: Approval) -> str:
    """Return why this visitor can't approve, or nothing; the gate decides, this spares them the way."""
    name = visitor.caller.name
    if name == approval.requested_by and not approval.own_approval:
        return "You edited this proposal: somebody else must approve it."
    if name in approval.approved_by:
        return f"You have approved this. {approval.tally}"
    if not approval.may_be_approved_by(name, visitor.caller.role):
        return f"Others must approve this: {', '.join(approval.approvers)}."
    return ""


async def _tell_lines(visitor: Visitor, incident_id: str, after: int) -> AsyncGenerator[ServerSentEvent]:
    door = visitor.door
    still_allowed = partial(may_look, door, visitor.session.bearer)
    entries = door.streams.follow(door.ledger.incidents, incident_id, after, door.closing, still_allowed)
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
