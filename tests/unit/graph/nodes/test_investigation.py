"""The analysis node's bounds: a mind that never concludes is stopped, and the person is told why."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from langgraph.runtime import Runtime

from graph.domain.alerts.payload import Alert, AlertGroup
from graph.domain.diagnosis import (
    CallTools,
    Candidate,
    DiagnosisStep,
    Evidence,
    HandOver,
    LookAgain,
    NothingWrong,
    ReadCall,
    Step,
)
from graph.nodes.investigation import Investigation
from graph.policy import BUILT_IN
from graph.ports import Case, ClusterReader, IncidentLedger, Reader
from graph.routing import after_analysis
from graph.state import IncidentState, RunContext
from tests.unit.graph.domain.proposals import WEB
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.errors import ClusterUnreachable, ObjectNotFound, PermissionDenied
from tools.kubernetes.patch import PatchArguments
from tools.mcp.results import ToolResult, refusal
from tools.mcp.toolbox import OWN_SERVER, ToolOffer

RUNTIME = Runtime(context=RunContext(epoch=1))
READ = CallTools(reason="look", calls=(ReadCall(tool="kubectl_get", arguments={}),))


@dataclass
class Stubborn:
    """A mind that always says the same."""

    step: Step

    async def decide(self, case: Case) -> DiagnosisStep:
        return DiagnosisStep(step=self.step)


@dataclass
class Notebook:
    """An incident ledger that only remembers the timeline."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def record(self, incident_id: str, epoch: int, kind: str, data: dict[str, Any], **_: Any) -> None:
        self.lines.append((kind, data))

    async def set_status(self, incident_id: str, epoch: int, status: str) -> None:
        self.lines.append(("status", {"status": status}))

    async def add_evidence(
        self, incident_id: str, epoch: int, call: ReadCall, result: ToolResult
    ) -> Evidence:
        return Evidence(
            id="E1", tool=call.tool, arguments=call.arguments, text=result.text, is_error=result.is_error,
            at=datetime(2026, 1, 2, tzinfo=UTC),
        )  # fmt: skip

    async def have_resolved(self, incident_id: str) -> bool:
        return False

    async def evidence(self, incident_id: str) -> Sequence[Evidence]:
        return ()


def investigate(step: Step, **bounds: int) -> Investigation:
    ledger = cast("IncidentLedger", Notebook())
    cluster_reader = cast("ClusterReader", None)
    return Investigation(ledger, cast("Reader", None), Stubborn(step), cluster_reader, BUILT_IN, **bounds)


async def run_until_ended(node: Investigation) -> tuple[IncidentState, int]:
    state = IncidentState(alert=AlertGroup.model_validate(real_body()), incident_id="inc-1", target=WEB)
    for turn in range(1, 50):
        update = await node.analyze_root_cause(state, RUNTIME)
        state = state.model_copy(update=update)
        if after_analysis(state) == "generate_report":
            return state, turn
    raise AssertionError("it never ended")


class Reading:
    """A reader with one tool, whose answer is long."""

    async def offers(self) -> Sequence[ToolOffer]:
        return (ToolOffer(OWN_SERVER, "kubectl_get", "", {}),)

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        return ToolResult(text="a line of a log\n" * 4_000, is_error=False)


async def test_who_watches_a_run_sees_how_each_call_was_answered_shortened() -> None:
    streamed: list[Any] = []
    call = ReadCall(tool="kubectl_get", arguments={"resourceType": "pods"})
    state = IncidentState(
        alert=AlertGroup.model_validate(real_body()), incident_id="inc-1", target=WEB, pending_calls=(call,)
    )
    ledger = cast("IncidentLedger", Notebook())
    node = Investigation(ledger, Reading(), Stubborn(READ), cast("ClusterReader", None))
    runtime = Runtime(context=RunContext(epoch=1), stream_writer=streamed.append)

    update = await node.run_tool(state, runtime)

    (answer,) = update["answers"]
    assert (answer.evidence, answer.tool, answer.characters) == ("E1", "kubectl_get", 64_000)
    assert answer.excerpt.startswith("a line of a log\n")
    assert len(answer.excerpt) == 600
    assert streamed == [{"tool_answer": answer.model_dump()}]
    assert update["pending_calls"] == ()


@dataclass
class Unanswering:
    """A reader whose API server, or a kubelet behind it, doesn't answer."""

    text: str

    async def offers(self) -> Sequence[ToolOffer]:
        tools = ("kubectl_get", "kubectl_logs", "kubectl_describe")
        return tuple(ToolOffer(OWN_SERVER, tool, "", {}) for tool in tools)

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        return refusal(self.text)


@dataclass
class Watching:
    """An observer that answers so."""

    error: Exception | None = None

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {}

    async def list(self, kind: str, namespace: str | None) -> list[dict[str, Any]]:
        return []


BY_KUBELET = '{"error": {"code": 502, "message": "dial tcp 10.0.0.7:10250: connect: connection refused"}}'
BY_NOBODY = '{"error": {"code": null, "message": "timed out"}}'
LOG = ReadCall(
    tool="kubectl_logs", arguments={"resourceType": "pod", "name": "web-1", "namespace": "default"}
)
PODS = ReadCall(tool="kubectl_get", arguments={"resourceType": "pods"})


async def read(call: ReadCall, text: str, error: Exception | None = None) -> Any:
    state = IncidentState(
        alert=AlertGroup.model_validate(real_body()), incident_id="inc-1", target=WEB, pending_calls=(call,)
    )
    ledger, cluster_reader = cast("IncidentLedger", Notebook()), cast("ClusterReader", Watching(error))
    return await Investigation(ledger, Unanswering(text), Stubborn(READ), cluster_reader).run_tool(
        state, RUNTIME
    )


@pytest.mark.parametrize("text", [BY_KUBELET, BY_NOBODY])
@pytest.mark.parametrize("error", [None, ObjectNotFound("gone", code=404), PermissionDenied("no", code=403)])
async def test_a_log_that_a_kubelet_does_not_give_is_gone_without(text: str, error: Exception | None) -> None:
    (answer,) = (await read(LOG, text, error))["answers"]

    assert answer.is_error
    assert json.loads(text)["error"]["message"] in answer.excerpt


@pytest.mark.parametrize("kind", ["events", "services", "deployments", "horizontalpodautoscalers"])
async def test_what_surrounds_a_workload_is_gone_without_where_the_api_server_answers(kind: str) -> None:
    call = ReadCall(tool="kubectl_get", arguments={"resourceType": kind, "namespace": "default"})

    (answer,) = (await read(call, '{"error": {"code": 500, "message": "etcdserver: timed out"}}'))["answers"]

    assert answer.is_error
    assert "etcdserver" in answer.excerpt


async def test_a_description_that_times_out_is_gone_without() -> None:
    call = ReadCall(tool="kubectl_describe", arguments=LOG.arguments)

    (answer,) = (await read(call, BY_NOBODY))["answers"]

    assert answer.is_error


async def test_the_target_itself_is_never_gone_without() -> None:
    itself = {"resourceType": "deployment", "name": WEB.name, "namespace": "default"}

    with pytest.raises(ClusterUnreachable):
        await read(ReadCall(tool="kubectl_get", arguments=itself), BY_NOBODY)


UNSEEN = "which can't be seen in the Kubernetes API, and"


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (
            {"alertname": "KafkaConsumerGroupLag", "job": "kafka-exporter", "consumergroup": "orders"},
            f" measures lag and queues, {UNSEEN} its labels name only the exporter that measured it",
        ),
        (
            {"alertname": "KubeAPIErrorBudgetBurn", "long": "1h"},
            f" measures traffic and errors, {UNSEEN} it names no namespace",
        ),
        ({"alertname": "KubeVersionMismatch"}, ": it names no namespace"),
    ],
)
async def test_an_alert_about_no_object_is_handed_over_with_what_cannot_be_seen(
    labels: dict[str, str], reason: str
) -> None:
    update = await receive({"labels": labels, "annotations": {"summary": "see the dashboard"}})

    assert update["ending"].status == "handed_over"
    assert update["ending"].reason.startswith(f"alert {labels['alertname']}{reason}")
    assert "The alert says: see the dashboard" in update["ending"].advice
    kept = [line for line in update["ending"].advice if line.startswith("Its labels say: ")]
    assert [label in "".join(kept) for label in labels if label != "alertname"] == [True] * (len(labels) - 1)


async def test_a_heartbeat_beside_another_alert_does_not_dismiss_it() -> None:
    beat = {"labels": {"alertname": "Watchdog"}, "annotations": {}}

    both = await receive(beat, {"labels": {"alertname": "KubeAPIDown"}, "annotations": {}})

    assert both["ending"].status == "handed_over"
    assert (await receive(beat))["ending"].status == "no_action"


async def receive(*alerts: dict[str, Any]) -> Any:
    body = real_body()
    body["alerts"] = [body["alerts"][0] | one for one in alerts]
    state = IncidentState(alert=AlertGroup.model_validate(body), incident_id="inc-1")
    ledger, cluster_reader = cast("IncidentLedger", Notebook()), cast("ClusterReader", Watching())
    return await Investigation(ledger, Unanswering(""), Stubborn(READ), cluster_reader).receive_alert(
        state, RUNTIME
    )


@pytest.mark.parametrize(
    ("call", "error"), [(LOG, ClusterUnreachable("down")), (PODS, None), (PODS, ClusterUnreachable("down"))]
)
async def test_a_cluster_that_does_not_answer_is_asked_again(call: ReadCall, error: Exception | None) -> None:
    with pytest.raises(ClusterUnreachable, match="got no answer from the API server"):
        await read(call, BY_NOBODY, error)


@pytest.mark.parametrize(
    ("annotations", "advice"),
    [
        (
            {"runbook_url": "https://runbooks.example/x"},
            "Follow the alert's own runbook: https://runbooks.example/x",
        ),
        ({}, "The alert names no runbook: look at its rule KubePodNotReady in Prometheus"),
    ],
)
async def test_an_alert_that_names_too_little_is_handed_over_with_where_to_go_on(
    annotations: dict[str, str], advice: str
) -> None:
    body = real_body()
    labels = {"alertname": "KubePodNotReady"}
    body["alerts"] = [body["alerts"][0] | {"labels": labels, "annotations": annotations}]
    state = IncidentState(alert=AlertGroup.model_validate(body), incident_id="inc-1")

    update = await investigate(READ).receive_alert(state, RUNTIME)

    assert update["ending"].advice[0].startswith(advice)


@pytest.mark.parametrize(
    ("step", "turns", "word"),
    [
        (READ, 4, "3 steps"),
        (LookAgain(reason="it still moves", after_seconds=0.001), 3, "it still moves"),
    ],
)
async def test_a_mind_that_never_concludes_is_handed_over(step: Step, turns: int, word: str) -> None:
    state, taken = await run_until_ended(investigate(step, most_steps=3, most_rechecks=2))

    assert taken == turns
    assert state.ending is not None
    assert state.ending.status == "handed_over"
    assert word in state.ending.reason


@pytest.mark.parametrize(("keep", "undone"), [(True, False), (False, True)])
async def test_a_fix_that_mended_its_fault_stays_when_another_one_needs_a_person(
    *, keep: bool, undone: bool
) -> None:
    call = PatchArguments(resource_type="deployment", name="web", namespace="default", patch_data=[])
    undo = Candidate(call=call, purpose="undo", grounding="same_object", basis="back")
    state = IncidentState(
        alert=AlertGroup.model_validate(real_body()), incident_id="inc-1", target=WEB,
        undo=undo, verdict="not_verified", failed_attempts=("the image was set, but it didn't help",),
    )  # fmt: skip
    step = HandOver(reason="Secret db is missing", advice=("Make it.",), keep=keep)

    update = await investigate(step).analyze_root_cause(state, RUNTIME)

    assert (update["candidate"] == undo) is undone
    if keep:
        assert (update["ending"].status, update["ending"].advice) == ("unresolved", ("Make it.",))
        assert "Secret db is missing" in update["ending"].reason


async def test_a_fix_whose_pods_the_cluster_refuses_is_taken_back_before_anything_else() -> None:
    call = PatchArguments(resource_type="deployment", name="web", namespace="default", patch_data=[])
    undo = Candidate(call=call, purpose="undo", grounding="same_object", basis="back")
    state = IncidentState(
        alert=AlertGroup.model_validate(real_body()), incident_id="inc-1", target=WEB,
        undo=undo, undo_first=True, verdict="not_verified", failed_attempts=("the limit was raised",),
    )  # fmt: skip

    update = await investigate(READ).analyze_root_cause(state, RUNTIME)
    state = state.model_copy(update=update)

    assert (state.candidate, state.undo, state.undo_first) == (undo, None, False)
    assert after_analysis(state) == "propose_fix"


@dataclass
class Lenient:
    """A mind that sees nothing wrong with the first alerts, and hands over what else there is."""

    seen: list[list[str]] = field(default_factory=list)

    async def decide(self, case: Case) -> DiagnosisStep:
        names = [alert.name for alert in case.group.alerts]
        self.seen.append(names)
        if "HighErrorRate" in names:
            return DiagnosisStep(step=HandOver(reason="HighErrorRate can't be seen"))
        return DiagnosisStep(step=NothingWrong(reason="all pods are ready"))


@dataclass
class Growing(Notebook):
    """A ledger in which these alerts belong to the incident by now."""

    alerts: tuple[Alert, ...] = ()

    async def case_file(self, incident_id: str) -> Any:
        group = AlertGroup.model_validate(real_body())
        return SimpleNamespace(group=group.model_copy(update={"alerts": self.alerts}))


@pytest.mark.parametrize(("later", "status"), [(True, "handed_over"), (False, "no_action")])
async def test_an_alert_that_came_later_is_judged_before_nothing_is_called_wrong(
    *, later: bool, status: str
) -> None:
    group = AlertGroup.model_validate(real_body())
    joined = group.alerts[0].model_copy(
        update={"fingerprint": "later", "labels": {"alertname": "HighErrorRate"}}
    )
    ledger = Growing(alerts=(*group.alerts, joined) if later else group.alerts)
    diagnostician = Lenient()
    node = Investigation(
        cast("IncidentLedger", ledger), cast("Reader", None), diagnostician, cast("ClusterReader", None)
    )
    state = IncidentState(alert=group, incident_id="inc-1", target=WEB)

    update = await node.analyze_root_cause(state, RUNTIME)

    assert update["ending"].status == status
    assert len(diagnostician.seen) == 1 + later
