"""Checkpoints grow with the steps of a run and no faster: whole answers lie in the evidence, once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.workers.run import Runs
from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.ledger import open_ledger
from checkpoints.savers.opening import open_saver
from graph.builder import Nodes, build_graph
from graph.cluster.verification import Verifier
from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import CallTools, DiagnosisStep, HandOver, ReadCall
from graph.nodes.conclusion import Conclusion
from graph.nodes.investigation import Investigation
from graph.nodes.remediation import Remediation
from graph.ports import Case
from tests.databases import query
from tests.empty_cluster import EmptyCluster
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.mcp.results import ToolResult
from tools.mcp.toolbox import OWN_SERVER, ToolOffer

ANSWER = "a line of a log\n" * 4_000
STORED = {
    "sqlite": (
        "SELECT (SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints)"
        " + (SELECT sum(length(value)) FROM writes)"
    ),
    "postgresql": (
        "SELECT (SELECT sum(length(checkpoint::text) + length(metadata::text)) FROM checkpoints)"
        " + (SELECT sum(length(blob)) FROM checkpoint_blobs)"
        " + (SELECT sum(length(blob)) FROM checkpoint_writes)"
    ),
}


class Curious:
    """A mind that makes so many calls, one at a time, and hands over."""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    async def decide(self, case: Case) -> DiagnosisStep:
        if len(case.evidence) < self._calls:
            call = ReadCall(tool="kubectl_get", arguments={"resourceType": "pods"})
            return DiagnosisStep(step=CallTools(reason="look further", calls=(call,)))
        return DiagnosisStep(step=HandOver(reason="seen enough"))


class Talkative:
    """A reader whose answers are long."""

    async def offers(self) -> Sequence[ToolOffer]:
        return (ToolOffer(OWN_SERVER, "kubectl_get", "", {}),)

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        return ToolResult(text=ANSWER, is_error=False)


async def run(url: str, calls: int) -> int:
    """Run an incident with so many calls and return the bytes of its checkpoints."""
    nobody: Any = None
    pace = IncidentRateLimit(timedelta(0), runs_per_hour=3)
    async with open_ledger(url, pace=pace) as ledger, open_saver(url) as saver:
        nodes = Nodes(
            Investigation(
                ledger.incidents, Talkative(), Curious(calls), EmptyCluster(), most_steps=calls + 1
            ),
            Remediation(ledger.incidents, ledger.approvals, None, None),
            Conclusion(ledger.incidents, ledger.approvals, Verifier(nobody)),
        )
        body = real_body()
        for alert in body["alerts"]:
            alert["fingerprint"] = f"{alert['fingerprint']}-{calls}"
        before = await stored(url)
        receipt = await ledger.intake.accept(AlertGroup.model_validate(body), b"{}")
        await Runs(build_graph(nodes, saver), ledger).go(receipt.incident_ids[0])
        assert (await ledger.incidents.find(receipt.incident_ids[0])).status == "handed_over"
        evidence = await ledger.incidents.evidence(receipt.incident_ids[0])
        assert [piece.text for piece in evidence] == [ANSWER] * calls
    return await stored(url) - before


async def stored(url: str) -> int:
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    return int((await query(url, text(STORED[kind])))[0][0] or 0)


async def test_checkpoints_grow_linearly_in_tool_calls_and_hold_no_answer(database_url: str) -> None:
    few, some, many = [await run(database_url, calls) for calls in (5, 20, 80)]

    a_call_at_first, a_call_later = (some - few) / 15, (many - some) / 60
    assert a_call_later == pytest.approx(a_call_at_first, rel=0.1)
    assert a_call_later < len(ANSWER) / 2
