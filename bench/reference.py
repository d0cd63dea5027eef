"""The least that a service of this kind could be: bare LangGraph, bare FastAPI, plain inserts.

The same graph, the same saver on the same database, the same requests answered, and the same rows left
behind, byte for byte as long: one transaction for each step, with one INSERT for each table and one UPDATE
of the incident in it. No gate, no policy, no epochs, no audit chain, no validation: whatever mendgate costs
beyond it is mendgate's.
"""

import asyncio
import json
import os
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, groupby
from operator import attrgetter
from typing import Any, Literal

from fastapi import FastAPI, Request
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.recording import Recording, Stage
from checkpoints.db.engine import make_engine, parse_url
from checkpoints.savers.opening import open_saver
from graph.state import IncidentState

Tell = Callable[[str, str], None]
_TABLE = attrgetter("table")
_METADATA = MetaData()
_TABLES = {
    name: Table(
        f"bench_{name}",
        _METADATA,
        Column("id", Integer, primary_key=True),
        Column("incident", String(32), index=True),
        Column("body", Text),
    )
    for name in (
        "webhooks", "incidents", "alerts", "alert_states", "timeline", "approvals", "decisions", "audit",
        "evidence", "intents",
    )
}  # fmt: skip
_STATUS = Table(
    "bench_status",
    _METADATA,
    Column("incident", String(32), primary_key=True),
    Column("status", String(32)),
    Column("report", Text),
)


@dataclass
class Reference:
    """The service: its database, its graph, and what it was recorded from."""

    engine: AsyncEngine
    recording: Recording
    tell: Tell
    graph: Any = None
    ids: Any = field(default_factory=lambda: count(1))
    runs: set[asyncio.Task[None]] = field(default_factory=set)

    async def leave(self, stage: Stage, incident: str, status: str, *, opens: bool = False) -> None:
        """Leave behind what the stage did, in one transaction."""
        async with self.engine.begin() as connection:
            for table, rows in groupby(sorted(stage.rows, key=_TABLE), _TABLE):
                values = [{"incident": incident, "body": self._about(row.body, incident)} for row in rows]
                await connection.execute(insert(_TABLES[table]), values)
            if opens:
                await connection.execute(insert(_STATUS), {"incident": incident, "status": status})
            elif stage.updates:
                change = update(_STATUS).where(_STATUS.c.incident == incident)
                report = stage.update.get("report")
                await connection.execute(change.values(status=status, report=report))

    def start(self, given: Any, incident: str) -> None:
        """Let the incident's run begin, or go on."""
        task = asyncio.create_task(self._run(given, incident))
        self.runs.add(task)
        task.add_done_callback(self._leave_off)

    def _leave_off(self, task: asyncio.Task[None]) -> None:
        self.runs.discard(task)
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error)
            os._exit(1)  # whoever measures waits for this run

    async def _run(self, given: Any, incident: str) -> None:
        config = {"configurable": {"thread_id": incident}}
        result = await self.graph.ainvoke(given, config, durability="sync")
        self.tell("paused" if "__interrupt__" in result else "ended", incident)

    def _about(self, text: str, incident: str) -> str:
        return text.replace(self.recording.incident_id, incident)


def _build(reference: Reference, saver: Any) -> Any:
    """Return the graph: mendgate's nodes in mendgate's order, each of which only leaves its rows."""

    def node(name: str) -> Any:
        stages = reference.recording.named(name)

        async def run(state: IncidentState) -> dict[str, Any]:
            if name == "await_approval":
                interrupt({"incident": state.incident_id})
            stage = stages[min(state.steps, len(stages) - 1)]
            await reference.leave(stage, state.incident_id, name)
            return {key: value for key, value in stage.update.items() if key != "incident_id"}

        return run

    def after_analysis(state: IncidentState) -> Literal["run_tool", "propose_fix"]:
        return "run_tool" if state.pending_calls else "propose_fix"

    builder = StateGraph(IncidentState)
    for name in (
        "receive_alert", "analyze_root_cause", "run_tool", "propose_fix", "await_approval", "apply_fix",
        "verify_fix", "generate_report",
    ):  # fmt: skip
        builder.add_node(name, node(name))
    builder.add_edge(START, "receive_alert")
    builder.add_edge("receive_alert", "analyze_root_cause")
    builder.add_conditional_edges("analyze_root_cause", after_analysis)
    builder.add_edge("run_tool", "analyze_root_cause")
    builder.add_edge("propose_fix", "await_approval")
    builder.add_edge("await_approval", "apply_fix")
    builder.add_edge("apply_fix", "verify_fix")
    builder.add_edge("verify_fix", "generate_report")
    builder.add_edge("generate_report", END)
    return builder.compile(checkpointer=saver)


def _create_app(reference: Reference) -> FastAPI:
    app = FastAPI()
    (webhook,), (approve,) = reference.recording.named("webhook"), reference.recording.named("approve")

    @app.post("/v1/webhooks/alertmanager", status_code=202)
    async def receive(request: Request) -> dict[str, Any]:
        group = json.loads(await request.body())
        incident = f"inc-{next(reference.ids):016x}"
        await reference.leave(webhook, incident, "open", opens=True)
        reference.start({"alert": group, "incident_id": incident}, incident)
        return {"incident_ids": [incident]}

    @app.get("/v1/incidents/{incident}")
    async def find(incident: str) -> dict[str, Any]:
        async with reference.engine.begin() as connection:
            found = await connection.execute(select(_STATUS).where(_STATUS.c.incident == incident))
            row = found.one()
        return {"id": incident, "status": row.status, "approval_ids": [incident.replace("inc", "apr")]}

    @app.get("/v1/approvals/{approval}")
    async def find_approval(approval: str) -> dict[str, Any]:
        table, incident = _TABLES["approvals"], approval.replace("apr", "inc")
        async with reference.engine.begin() as connection:
            found = await connection.execute(select(table.c.body).where(table.c.incident == incident))
            return {"id": approval, "digest": "0", "proposal": json.loads(found.scalar_one())}

    @app.post("/v1/approvals/{approval}/approve", status_code=201)
    async def decide(approval: str, request: Request) -> dict[str, Any]:
        await request.json()
        incident = approval.replace("apr", "inc")
        await reference.leave(approve, incident, "approved")
        reference.start(Command(resume="wake"), incident)
        return {"id": approval, "status": "approved"}

    @app.get("/v1/incidents/{incident}/report")
    async def report(incident: str) -> str:
        async with reference.engine.begin() as connection:
            found = await connection.execute(select(_STATUS.c.report).where(_STATUS.c.incident == incident))
            return str(found.scalar_one())

    return app


@asynccontextmanager
async def open_reference(url: str, recording: Recording, tell: Tell) -> AsyncIterator[FastAPI]:
    """Open the database and the saver, and yield the app."""
    async with AsyncExitStack() as stack:
        engine = make_engine(parse_url(url))
        stack.push_async_callback(engine.dispose)
        async with engine.begin() as connection:
            await connection.run_sync(_METADATA.create_all)
        saver = await stack.enter_async_context(open_saver(url))
        reference = Reference(engine, recording, tell)
        reference.graph = _build(reference, saver)
        yield _create_app(reference)


@asynccontextmanager
async def open_insert(url: str) -> AsyncIterator[FastAPI]:
    """Open the database, and yield an app that keeps what is delivered, and does nothing else."""
    engine = make_engine(parse_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(_METADATA.create_all)
    app, webhooks = FastAPI(), _TABLES["webhooks"]

    @app.post("/v1/webhooks/alertmanager", status_code=202)
    async def receive(request: Request) -> dict[str, Any]:
        body = (await request.body()).decode()
        async with engine.begin() as connection:
            await connection.execute(insert(webhooks), {"incident": "", "body": body})
        return {"incident_ids": []}

    try:
        yield app
    finally:
        await engine.dispose()
