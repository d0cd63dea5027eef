"""Secrets in every place that the service reads, and a look at everything that comes out of it.

One incident about a workload that is full of them: none may be in the questions to the model, in the timeline
that is streamed, over REST, in the report, in notifications or the log, nor in any file of the service.
"""

import importlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.notify.messages import compose
from api.observability.logs import LogFormatter
from api.rest.schemas import ApprovalView
from graph.domain.diagnosis import Candidate
from graph.domain.incident import Incident
from graph.domain.notifications import Notice
from graph.proposals.drafting import HoldsSecret
from tests.acceptance.diagnoses import Diagnosis, diagnosing
from tests.integration.cluster.clusters import Object, await_condition
from tests.integration.model_server import ScriptedModel, calls
from tests.secret_samples import NAMED, SHOWN, leaked
from tools.errors import BadInput
from tools.kubernetes.patch import PatchArguments
from tools.sandbox import Scenario
from tools.sandbox.scenarios import IMAGE_PULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "full-of-secrets"
HERE = {"resourceType": "deployment", "name": NAME, "namespace": "default"}
FIX = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}}
TEXTS = {f"note-{number}": shown.text for number, shown in enumerate(SHOWN)}
PAIRS = {**{named.name: named.secret for named in NAMED}, **TEXTS}
CONFIG: Object = {
    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": "default"},
    "data": {
        **{name.replace("/", "."): value for name, value in PAIRS.items()},
        "shop.env": "\n".join(f"{named.name}={named.secret}" for named in NAMED),
    },
}  # fmt: skip


def crowded() -> Scenario:
    """Return a workload with every secret in its variables, arguments, probe's headers and annotations."""
    (typo,) = IMAGE_PULL.broken
    manifest = json.loads(json.dumps(typo).replace(IMAGE_PULL.workload, NAME))
    environment = [{"name": name.replace("/", "_"), "value": value} for name, value in PAIRS.items()]
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["env"] = environment
    container["args"] = [part for named in NAMED for part in (f"--{named.name}", named.secret)]
    container["args"] += TEXTS.values()
    headers = [{"name": name, "value": value} for name, value in PAIRS.items()]
    container["readinessProbe"] = {"httpGet": {"path": "/", "port": 80, "httpHeaders": headers}}
    manifest["metadata"]["annotations"] = PAIRS
    manifest["spec"]["template"]["metadata"]["annotations"] = PAIRS
    return replace(IMAGE_PULL, workload=NAME, healthy=(), broken=(manifest,))


class _Crowded(Scenario):
    """The scenario's alert, too, has every secret among its labels and annotations."""

    def alert_body(self, pods: list[Object], started_at: datetime | None = None) -> dict[str, Any]:
        body = super().alert_body(pods, started_at)
        for alert in body["alerts"]:
            alert["annotations"] |= PAIRS
            alert["labels"] |= {named.name: named.secret for named in NAMED}
        body["commonAnnotations"] = PAIRS
        return body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ended(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Diagnosis, ScriptedModel, Incident, Path, list[str]]]:
    """Run the incident until it waits for a person; a log is read, and an edit with a secret is tried."""
    importlib.import_module("langchain_openai")  # takes longer than the model's time
    folder = tmp_path_factory.mktemp("secrets")
    lines = [("2026-01-01T00:00:00Z", line) for value in TEXTS.values() for line in value.split("\n")]
    lines += [("2026-01-01T00:00:00Z", f"using {named.name}={named.secret}") for named in NAMED]
    told: list[str] = []
    handler = logging.Handler()
    handler.setFormatter(LogFormatter())
    handler.emit = lambda record: told.append(handler.format(record))  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tools.sandbox.controllers.logs._lines", lambda *_, **__: lines)
        async with ScriptedModel(list(_script())) as model:
            settings: dict[str, Any] = {
                "model": "scripted", "openai_base_url": model.base_url, "openai_api_key": "k",
                "model_timeout": 60, "model_budget_seconds": 600,
            }  # fmt: skip
            async with diagnosing(folder, **settings) as diagnosis:
                scenario = crowded()
                scenario = _Crowded(
                    **{name: getattr(scenario, name) for name in scenario.__dataclass_fields__}
                )
                incident = await diagnosis.run(scenario, CONFIG, seconds=120)
                yield diagnosis, model, incident, folder, told
    logging.getLogger().removeHandler(handler)


def _script() -> Iterator[Any]:
    yield calls("kubectl_get", **HERE, output="json")
    yield calls("kubectl_get", **HERE, output="yaml")
    yield calls("kubectl_describe", **HERE)
    yield calls("kubectl_get", resourceType="configmap", name=NAME, namespace="default", output="json")
    yield calls("kubectl_get", resourceType="configmaps", namespace="default", output="yaml")
    yield calls("kubectl_logs", **HERE)
    yield calls("kubectl_patch", **HERE, patchType="strategic", patchData=FIX)


Ended = tuple[Diagnosis, ScriptedModel, Incident, Path, list[str]]


async def test_no_secret_reaches_the_model(ended: Ended) -> None:
    _, model, _, _, _ = ended

    asked = json.dumps([request.body for request in model.requests], ensure_ascii=False)

    assert len(model.requests) >= 7, "the model has read all of it"
    assert leaked(asked) == []
    assert "value of env DB_PASSWORD" in asked


async def test_no_secret_is_in_evidence_timeline_proposal_or_alert(ended: Ended) -> None:
    diagnosis, _, incident, _, _ = ended

    case = await diagnosis.service.ledger.incidents.case_file(incident.id)

    assert incident.approval_ids, "a fix that touches no secret is proposed"
    assert len(case.evidence) >= 6
    assert leaked(case.model_dump_json()) == []
    for approval in case.approvals:
        assert leaked(ApprovalView.of(approval).model_dump_json()) == []


async def test_a_secret_is_not_proposed_and_an_edit_that_brings_one_is_refused(ended: Ended) -> None:
    diagnosis, _, incident, _, _ = ended
    editor = diagnosis.service.editor
    assert editor is not None
    approval = await diagnosis.service.ledger.approvals.find(incident.approval_ids[-1])
    for value in ("gannet99", "<redacted: value of env DB_PASSWORD>"):
        environment = [{"name": "DB_PASSWORD", "value": value}]
        containers = [{"name": "nginx", "image": "nginx:1.25", "env": environment}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        call = PatchArguments(resource_type="deployment", name=NAME, namespace="default", patch_data=patch)
        candidate = Candidate(call=call, grounding="evidence", basis="as read")

        with pytest.raises(HoldsSecret):
            await editor.proposal_builder.draft(candidate, incident_id=incident.id)
        with pytest.raises(BadInput, match="by hand") as refused:
            await editor.edit(approval.id, call.as_json(), by="alice", digest=approval.digest, reason="")

        assert value not in str(refused.value)
    after = await diagnosis.service.ledger.incidents.find(incident.id)
    assert after.approval_ids == incident.approval_ids


async def test_no_secret_is_in_a_notification_a_report_a_log_or_a_file(ended: Ended) -> None:
    diagnosis, _, incident, folder, told = ended
    ledger = diagnosis.service.ledger
    approval = await ledger.approvals.find(incident.approval_ids[-1])
    said = "; ".join(f"{named.name}={named.secret}" for named in NAMED[:9])
    notice = Notice(
        event="rejected", at=datetime.now(UTC), incident_id=incident.id, alertname="x", severity="y",
        target=None, by="alice", reason=said, approval_id=approval.id, summary=approval.proposal.summary,
    )  # fmt: skip
    await ledger.decisions.decide(
        approval.id, by="alice", verdict="reject", digest=approval.digest, reason="not this way"
    )
    diagnosis.service.runner.wake(incident.id)
    report = await _report(diagnosis, incident.id)
    logging.getLogger("api").warning("failed with %s", said)

    message = compose("msg-1", notice, None, datetime.now(UTC))

    assert leaked(f"{message.body}{message.payload.decode()}") == []
    assert leaked(report) == []
    assert told
    assert leaked("\n".join(told)) == []
    for file in folder.iterdir():
        if file.is_file():
            assert leaked(file.read_bytes().decode("utf-8", "replace")) == [], file.name


async def _report(diagnosis: Diagnosis, incident_id: str) -> str:
    return await await_condition(
        lambda: diagnosis.service.ledger.incidents.report(incident_id), "the report", 60
    )
