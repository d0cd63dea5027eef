"""An incident seen from outside: its metrics, its trace over a pause and a restart, its log."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api.observability.spans import IncidentIds
from tests.acceptance.services import ServiceProcess
from tests.acceptance.test_model_incidents import real_answers
from tests.acceptance.workloads import body_for, deployment, until_available, until_waiting
from tests.integration.cluster.clusters import SandboxUnderTest
from tests.integration.model_server import ScriptedModel, calls
from tests.otlp import Receiver, attributes, run_receiver
from tools.sandbox import SandboxCluster

NAME = "watched"
KEY = "sk-scripted-0815"
ENV, LABEL, ANNOTATION = "env-hunter2-4711", "label-hunter2-4711", "annotation-hunter2-4711"
URL_PASSWORD, BEARER, REASON = "url-hunter2-4711", "bearer-hunter2-4711", "reason-hunter2-4711"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl"
PROMPT = "SRE"


@dataclass
class Observed:
    """What an incident left behind, and what was seen of it while it went on."""

    incident: dict[str, Any]
    receiver: Receiver
    log: str
    metrics: str
    secrets: list[str] = field(default_factory=list)

    @property
    def trace(self) -> list[Span]:
        """The spans of the incident's trace."""
        return [one for one in self.receiver.spans if one.trace_id == _trace_of(self.incident["id"])]


def _trace_of(incident_id: str) -> bytes:
    ids = IncidentIds()
    with ids.of(incident_id):
        return ids.generate_trace_id().to_bytes(16, "big")


def _secretive_alert() -> dict[str, Any]:
    """Return the alert with what looks like a secret in every place that a person may write to."""
    body = body_for(NAME)
    for alert in body["alerts"]:
        alert["labels"] |= {"db_password": LABEL}
        alert["annotations"] |= {
            "description": f"postgres://app:{URL_PASSWORD}@db/x Authorization: Bearer {BEARER}",
            "api_token": ANNOTATION,
        }
    return body


async def _break(cluster: SandboxUnderTest) -> None:
    env = [{"name": "DB_PASSWORD", "value": ENV}, {"name": "JWT", "value": f"Bearer {JWT}"}]
    container = {"name": "nginx", "image": "nginx:1.25", "env": env}
    await cluster.apply(deployment(NAME, container))
    await until_available(cluster, NAME)
    await cluster.apply(deployment(NAME, {**container, "image": "nginx:1.25-"}))
    await until_waiting(cluster, NAME, "ImagePullBackOff", "ErrImagePull")


async def _knock_badly(service: ServiceProcess) -> None:
    """Send what is turned away, with secrets in it."""
    await service.request("GET", f"/v1/incidents?token={JWT}")
    await service.request("POST", "/alert", "ingest", content=f'{{"password": "{REASON}"')


@pytest.fixture
async def observed(sandbox: SandboxCluster, tmp_path: Path) -> AsyncIterator[Observed]:
    """Run an incident with a model, a receiver of traces, and a restart while it waits for a person."""
    cluster = SandboxUnderTest(sandbox, tmp_path)
    await _break(cluster)
    script = [*await real_answers(cluster, NAME, "1-describe", "2-patch"), calls("write_report", summary=[])]
    async with ScriptedModel(script) as model, run_receiver() as receiver:
        service = ServiceProcess(
            tmp_path, cluster.reader_kubeconfig, cluster.writer_kubeconfig,
            MENDGATE_MODEL="scripted", OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY=KEY,
            MENDGATE_LOG_FORMAT="json", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        )  # fmt: skip
        await service.start()
        await _knock_badly(service)
        incident_id = await service.post_alert(_secretive_alert())
        approval = await service.pending_approval(incident_id)
        assert await service.stop() == 0
        await service.start()
        await service.decide(approval, "approve", f"password={REASON}")
        incident = await service.wait_for(incident_id, "resolved")
        metrics = (await service.request("GET", "/metrics", "viewer")).text
        assert await service.stop() == 0
    secrets = [KEY, ENV, LABEL, ANNOTATION, URL_PASSWORD, BEARER, REASON, JWT, *service.tokens.values()]
    yield Observed(incident, receiver, service.log(), metrics, secrets)
    await cluster.clean()


async def test_an_incident_is_one_trace_over_a_pause_and_a_restart(observed: Observed) -> None:
    spans = observed.trace
    by_id = {span.span_id: span for span in spans}
    roots = sorted(span.name for span in spans if not span.parent_span_id)
    names = {span.name for span in spans}

    assert roots == ["run", "run", "webhook"]
    assert names >= {"node receive_alert", "node analyze_root_cause", "node run_tool", "node propose_fix"}
    assert names >= {"node await_approval", "node apply_fix", "node verify_fix", "node generate_report"}
    assert _parents(spans, by_id, "tool kubectl_patch") == {"node apply_fix"}
    assert _parents(spans, by_id, "tool kubectl_describe") == {"node run_tool"}
    assert _parents(spans, by_id, "model") == {"node analyze_root_cause", "node generate_report"}
    assert _outcomes(spans, "run") == {"paused", "resolved"}
    assert _outcomes(spans, "node verify_fix") == {"resolved"}
    assert _outcomes(spans, "node apply_fix") == {"applied"}
    assert {span.status.code for span in spans} == {Status.STATUS_CODE_UNSET}
    assert ("service.name", "mendgate") in observed.receiver.resources
    _require_nothing_else(observed)


def _require_nothing_else(observed: Observed) -> None:
    """Fail if a span carries more than names, outcomes and numbers of tokens."""
    told = {key for span in observed.trace for key in attributes(span)}
    counted = {one.key for span in observed.trace for one in span.attributes} - told

    assert told == {"mendgate.incident", "mendgate.node", "mendgate.tool", "mendgate.outcome"}
    assert counted == {"mendgate.tokens_in", "mendgate.tokens_out"}
    assert not any(span.events for span in observed.trace)
    for word in [*observed.secrets, NAME, "nginx", PROMPT]:
        assert word.encode() not in observed.receiver.raw, word


async def test_neither_the_log_nor_the_metrics_hold_a_secret(observed: Observed) -> None:
    lines = [json.loads(line) for line in observed.log.splitlines()]

    assert {"at", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    for secret in observed.secrets:
        assert secret not in observed.log, secret
    _require_its_course(observed)


def _require_its_course(observed: Observed) -> None:
    """Fail unless the metrics tell what came of the incident, and never its name."""
    shown = _samples(observed.metrics)

    assert shown['mendgate_incidents{status="resolved"}'] == 1
    assert shown['mendgate_decisions_total{verdict="approve"}'] == 1
    assert shown['mendgate_executions_total{outcome="applied"}'] == 1
    assert shown['mendgate_verdicts_total{verdict="verified"}'] == 1
    assert shown["mendgate_time_to_verified_seconds_count"] == 1
    assert shown['mendgate_tool_calls_total{outcome="answered",tool="kubectl_patch"}'] == 1
    assert shown['mendgate_model_calls_total{outcome="answered"}'] == 1  # this process wrote the report
    assert shown["mendgate_ledger_up"] == 1
    assert shown["mendgate_audit_intact"] == 1
    for word in [*observed.secrets, NAME, observed.incident["id"], *observed.incident["approval_ids"]]:
        assert word not in observed.metrics, word


async def test_a_receiver_that_is_away_holds_nothing_up(sandbox: SandboxCluster, tmp_path: Path) -> None:
    cluster = SandboxUnderTest(sandbox, tmp_path)
    await _break(cluster)
    async with run_receiver() as receiver:
        gone = receiver.url
    service = ServiceProcess(
        tmp_path, cluster.reader_kubeconfig, cluster.writer_kubeconfig, OTEL_EXPORTER_OTLP_ENDPOINT=gone
    )
    await service.start()

    incident = await service.decide_all(await service.post_alert(body_for(NAME)), "approve")

    assert await service.stop() == 0
    assert incident["status"] == "resolved"
    await cluster.clean()


def _parents(spans: list[Span], by_id: Mapping[bytes, Span], name: str) -> set[str]:
    return {by_id[span.parent_span_id].name for span in spans if span.name == name}


def _outcomes(spans: list[Span], name: str) -> set[str]:
    return {attributes(span).get("mendgate.outcome", "") for span in spans if span.name == name}


def _samples(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(number) for name, _, number in lines}
