"""One incident of mendgate's, recorded: what each step returned, and which rows it left in the database."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from langgraph.types import Command
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.instant import POLICY, InstantCluster, InstantMind, make_nodes
from bench.webhooks import webhook_body
from checkpoints.ledger import Ledger, open_ledger
from checkpoints.savers.opening import open_saver
from graph.builder import build_graph
from graph.domain.alerts.payload import AlertGroup
from graph.policy import parse_policy
from graph.state import IncidentState, RunContext

Update = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A row that was inserted: its table, and its values as text."""

    table: str
    body: str


@dataclass
class Stage:
    """A step of the course: what the node returned, the rows inserted meanwhile, and the updates' number."""

    name: str
    update: Update = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    updates: int = 0


@dataclass(frozen=True)
class Recording:
    """A whole course. `incident_id` and `approval_id` are what stands in its rows and updates."""

    stages: list[Stage]
    incident_id: str
    approval_id: str

    def named(self, name: str) -> list[Stage]:
        """Return the stages of one name, in the order in which they came."""
        return [stage for stage in self.stages if stage.name == name]


def record() -> Recording:
    """Run one incident on a database that is thrown away, and return what it came to."""
    with tempfile.TemporaryDirectory(prefix="mendgate-bench-") as folder:
        return asyncio.run(_record(f"sqlite+aiosqlite:///{folder}/ledger.db"))


async def _record(url: str) -> Recording:
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(url, policy=parse_policy(POLICY, "bench.yaml")))
        saver = await stack.enter_async_context(open_saver(url))
        graph = build_graph(make_nodes(ledger, InstantMind(), InstantCluster()), saver)
        with _listening() as heard:
            return await _run(ledger, graph, heard)


async def _run(ledger: Ledger, graph: Any, heard: "_Heard") -> Recording:
    stages: list[Stage] = []

    def note(name: str, update: Update | None = None) -> None:
        stages.append(Stage(name, dict(update or {}), *heard.take()))

    raw = webhook_body("recorded")
    receipt = await ledger.intake.accept(AlertGroup.model_validate_json(raw), raw)
    (incident_id,) = receipt.incident_ids
    note("webhook")

    async def go(given: Any) -> None:
        epoch = await ledger.incidents.begin_run(incident_id)
        config = {"configurable": {"thread_id": incident_id, "run_epoch": epoch}}
        context = RunContext(epoch=epoch)
        async for step in graph.astream(given, config, context=context, stream_mode="updates"):
            for name, update in step.items():
                note(
                    "pause" if name == "__interrupt__" else name, update if isinstance(update, dict) else None
                )

    group = await ledger.incidents.group(incident_id)
    await go({"alert": group.model_dump(mode="json"), "incident_id": incident_id})
    (approval_id,) = (await ledger.incidents.find(incident_id)).approval_ids
    approval = await ledger.approvals.find(approval_id)
    await ledger.decisions.decide(
        approval_id, by="bench", verdict="approve", digest=approval.digest, reason=""
    )
    note("approve")
    await go(Command(resume="wake"))
    incident = await ledger.incidents.find(incident_id)
    assert incident.status == "resolved", incident
    assert IncidentState.model_fields.keys() >= {key for stage in stages for key in stage.update}
    return Recording(stages, incident_id, approval_id)


@dataclass
class _Heard:
    rows: list[Row] = field(default_factory=list)
    updates: int = 0

    def take(self) -> tuple[list[Row], int]:
        taken = self.rows, self.updates
        self.rows, self.updates = [], 0
        return taken


@contextmanager
def _listening() -> Iterator[_Heard]:
    """Hear of every row that the ledger inserts or updates while the block runs."""
    heard = _Heard()

    def hear(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        verb, _, rest = statement.partition(" ")
        sets = parameters if many else [parameters]
        if verb == "INSERT":
            table = rest.removeprefix("INTO ").partition(" ")[0]
            for values in sets:
                heard.rows.append(Row(table, json.dumps(values, default=_spell)))
        elif verb == "UPDATE":
            heard.updates += len(sets)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def _spell(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
