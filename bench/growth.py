"""What an incident leaves on the disk, by how many tool calls it made."""

from langgraph.types import Command
from sqlalchemy import text

from bench.databases import Databases
from bench.instant import POLICY, InstantCluster, InstantMind, make_nodes
from bench.sections import Chart, Section
from bench.webhooks import webhook_body
from checkpoints.ledger import open_ledger
from checkpoints.savers.opening import open_saver
from graph.builder import build_graph
from graph.domain.alerts.payload import AlertGroup
from graph.policy import parse_policy
from graph.state import RunContext
from tests.databases import query

_CALLS = (5, 20, 80)
_CHECKPOINTS = {
    "SQLite": (
        "SELECT (SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints)"
        " + (SELECT sum(length(value)) FROM writes)"
    ),
    "Postgres": (
        "SELECT (SELECT sum(length(checkpoint::text) + length(metadata::text)) FROM checkpoints)"
        " + (SELECT coalesce(sum(length(blob)), 0) FROM checkpoint_blobs)"
        " + (SELECT sum(length(blob)) FROM checkpoint_writes)"
    ),
}
_EVIDENCE = "SELECT coalesce(sum(length(text)), 0) FROM evidence"
_MOST = 1.2


async def measure(databases: Databases) -> Section:
    """Run one incident for each number of calls, each on a database of its own."""
    rows, bends = [], []
    for database in databases.names:
        sizes = []
        for calls in _CALLS:
            with databases.fresh(database) as url:
                await _run(url, calls)
                (checkpoints,), (evidence,) = [
                    (await query(url, text(statement)))[0]
                    for statement in (_CHECKPOINTS[database], _EVIDENCE)
                ]
            sizes.append((int(checkpoints), int(evidence)))
        slopes = [
            (later - sooner) / (more - fewer)
            for (sooner, _), (later, _), fewer, more in zip(
                sizes, sizes[1:], _CALLS, _CALLS[1:], strict=False
            )
        ]
        bends.append(slopes[1] / slopes[0])
        rows += [
            (
                database, str(calls), f"{checkpoints / 1024:.0f}", f"{evidence / 1024:.0f}",
                f"{checkpoints / calls / 1024:.1f}",
            )
            for calls, (checkpoints, evidence) in zip(_CALLS, sizes, strict=True)
        ]  # fmt: skip
    return Section(
        title="Growth",
        about="Bytes of one incident's checkpoints and evidence, from the alert to the report.",
        head=("database", "tool calls", "checkpoints, kB", "evidence, kB", "checkpoints per call, kB"),
        rows=rows,
        aim=f"linear: from 20 to 80 calls a call costs at most {_MOST} × what it does from 5 to 20",
        met=max(bends) <= _MOST,
        chart=Chart("Checkpoints of an incident, by tool calls", "kB", column=2),
    )


async def _run(url: str, calls: int) -> None:
    policy = parse_policy(POLICY, "bench.yaml")
    async with open_ledger(url, policy=policy) as ledger, open_saver(url) as saver:
        graph = build_graph(make_nodes(ledger, InstantMind(calls), InstantCluster()), saver)
        raw = webhook_body("grown")
        (incident,) = (await ledger.intake.accept(AlertGroup.model_validate_json(raw), raw)).incident_ids
        group, thread = await ledger.incidents.group(incident), await ledger.incidents.thread(incident)
        given: object = {"alert": group.model_dump(mode="json"), "incident_id": incident}
        for _ in range(2):
            epoch = await ledger.incidents.begin_run(incident)
            config = {"configurable": {"thread_id": thread.id, "run_epoch": epoch}, "recursion_limit": 400}
            await graph.ainvoke(given, config, context=RunContext(epoch=epoch), durability="sync")  # type: ignore[call-overload]  # a plain dict for a config
            found = await ledger.incidents.find(incident)
            approval = await ledger.approvals.find(found.approval_ids[-1])
            if approval.status == "pending":
                await ledger.decisions.decide(
                    approval.id, by="bench", verdict="approve", digest=approval.digest, reason=""
                )
            given = Command(resume="wake")
        assert found.status == "resolved", found
