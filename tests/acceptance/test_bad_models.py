"""Models that answer badly, or not at all: they cost time, never a write, and the runbooks take over.

In one process and with one service for all, but with real HTTP to the model, the real ledger and MCP server.
"""

import importlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from graph.domain.incident import Incident
from tests.acceptance.diagnoses import Diagnosis, diagnosing
from tests.integration.cluster.clusters import Object
from tests.integration.model_server import (
    Answer,
    ModelRequest,
    Scripted,
    ScriptedModel,
    calls,
    forever,
    half,
    raw_calls,
    refuses,
    says,
    silence,
    status,
)
from tools.sandbox import Scenario
from tools.sandbox.scenarios import IMAGE_PULL

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-scripted-4711-0815"
IMAGE = {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}
LISTED = "can't be called here"
PROSE = "one decision is due"
ARGUMENTS = "must be one JSON object"
UNANSWERED = ("half a body", "rate limits", "silence")
HAND_OVER = "decision: hand_over\nreason: a person must look"
DELETION = """
reason: gone is gone
decision: execute_tool
tool_call:
  tool_name: kubectl_delete
  parameters:
    resourceType: deployment
"""


def patch(name: str, kind: str = "deployment", namespace: str = "default", **document: Any) -> Answer:
    """Return the call of a patch."""
    target = {"resourceType": kind, "name": name, "namespace": namespace}
    return calls("kubectl_patch", **target, patchType="strategic", patchData=document)


def bad_models(name: str) -> dict[str, tuple[Sequence[Scripted], str]]:
    """Return scripts, each with a pattern of what is found wrong with it; `name` is the workload."""
    here = {"resourceType": "deployment", "name": name, "namespace": "default"}
    look = calls("kubectl_describe", **here)
    return {
        "nonsense": ([forever(says("Kubernetes is a container orchestrator. Have a nice day!"))], PROSE),
        "no words": ([forever(says(""))], PROSE),
        "advice in prose": ([forever(says("I would run `kubectl rollout undo` and look again."))], PROSE),
        "cut off": ([forever(says('{"decision": "prop', finish_reason="length"))], "cut off"),
        "a refusal": ([forever(refuses("I can't help with that."))], "refusal"),
        "the same call for ever": ([forever(look)], r"\bE1\b"),
        "an unknown tool": ([forever(calls("fix_everything", now=True))], LISTED),
        "a deletion": ([forever(calls("kubectl_delete", **here))], LISTED),
        "a scaling": ([forever(calls("kubectl_scale", **here, replicas=0))], LISTED),
        "an exec": ([forever(calls("exec_in_pod", name=name, command="reboot"))], LISTED),
        "a deletion as YAML": ([forever(says(DELETION))], LISTED),
        "a deletion within arguments": (
            [forever(calls("kubectl_get", resourceType="pods; kubectl delete pods --all"))],
            "must name one kind",
        ),
        "a look at Secrets": ([look, forever(calls("kubectl_get", resourceType="secrets"))], "(?i)secret"),
        "arguments that are no JSON": ([forever(raw_calls(("kubectl_get", '{"resource')))], ARGUMENTS),
        "arguments that are lists": ([forever(raw_calls(("kubectl_get", "[]"), ("f", '["x"]')))], ARGUMENTS),
        "half a body": ([forever(half())], "no answer within|hangs up"),
        "rate limits": ([forever(status(429, retry_after=0.05))], "429"),
        "silence": ([forever(silence())], "no answer within"),
        "a refused key": ([forever(status(401, f"Incorrect API key: {KEY}"))], "OPENAI_API_KEY"),
        "a patch of kube-system": (
            [look, forever(patch(name, namespace="kube-system", spec=IMAGE))],
            "protected",
        ),
        "a patch elsewhere": ([look, forever(patch(name, namespace="payments", spec=IMAGE))], "elsewhere"),
        "a patch of a Secret": (
            [look, forever(patch(name, "secret", data={"a": "b"}))],
            "may not be changed",
        ),
        "a patch to zero": ([look, forever(patch(name, spec={"replicas": 0}))], "tried before"),
        "a patch before looking": ([forever(patch(name, spec=IMAGE))], "look before"),
        "nothing wrong": ([look, forever(says("reason: all is well\ndecision: resolved"))], "nothing wrong"),
    }


@dataclass
class Ward:
    """A service whose model's answers are swapped from test to test; each test has a workload of its own.

    Nothing may ever be written here, for nobody approves anything.
    """

    diagnosis: Diagnosis
    model: ScriptedModel

    async def run(
        self, scenario: Scenario, script: Sequence[Scripted], *extra: Object
    ) -> tuple[Incident, list[dict[str, Any]]]:
        """Return the incident, and what its timeline says about each decision."""
        self.model.play(script)
        incident = await self.diagnosis.run(scenario, *extra)
        told = await self.diagnosis.entries(incident, "reasoned")
        assert self.diagnosis.changes() == []
        self.diagnosis.sandbox.delete("deployment", scenario.workload)  # the fewer, the faster
        return incident, told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """Open one that waits as long as a busy machine may need for an answer."""
    async with open_ward(tmp_path_factory.mktemp("ward"), timeout_seconds=20, budget_seconds=60) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty_ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """Open one for models that don't answer."""
    async with open_ward(tmp_path_factory.mktemp("ward"), timeout_seconds=0.4, budget_seconds=1.5) as opened:
        yield opened


@asynccontextmanager
async def open_ward(folder: Path, *, timeout_seconds: float, budget_seconds: float) -> AsyncIterator[Ward]:
    importlib.import_module("langchain_openai")  # takes longer than a hasty one's budget
    async with ScriptedModel([]) as model:
        settings = {
            "model": "scripted",
            "openai_base_url": model.base_url,
            "openai_api_key": KEY,
            "model_timeout": timeout_seconds,
            "model_budget": budget_seconds,
        }
        async with diagnosing(folder, **settings) as diagnosis:
            yield Ward(diagnosis, model)


_NUMBERS = count(1)


def broken(**container: Any) -> Scenario:
    """Return the reference incident with a workload of its own."""
    name = f"broken-{next(_NUMBERS)}"
    (typo,) = IMAGE_PULL.broken
    manifest = json.loads(json.dumps(typo).replace(IMAGE_PULL.workload, name))
    manifest["spec"]["template"]["spec"]["containers"][0] |= container
    return replace(IMAGE_PULL, workload=name, healthy=(), broken=(manifest,))


@pytest.mark.parametrize("kind", [kind for kind in bad_models("any") if kind not in UNANSWERED])
async def test_a_bad_model_costs_time_and_the_runbooks_take_over(kind: str, ward: Ward) -> None:
    await bear(kind, ward)


@pytest.mark.parametrize("kind", UNANSWERED)
async def test_a_model_that_does_not_answer_costs_time_and_the_runbooks_take_over(
    kind: str, hasty_ward: Ward
) -> None:
    await bear(kind, hasty_ward)


async def bear(kind: str, ward: Ward) -> None:
    """Run an incident with a bad model, and check that it leaves the incident no worse."""
    scenario = broken()
    script, wrong = bad_models(scenario.workload)[kind]

    incident, told = await ward.run(scenario, script)

    complaints = [complaint for entry in told for complaint in entry.get("complaints", ())]
    assert incident.status in {"awaiting_approval", "handed_over"}, incident
    assert incident.diagnosis is not None
    assert incident.diagnosis.source == "runbook"
    assert told[-1]["source"] == "runbook"
    assert re.search(wrong, f"{complaints} {told[-1]['model']['given_up']}"), complaints
    assert KEY not in str(told)
    assert 1 <= len(ward.model.requests) <= 6
    assert not ward.model.exhausted


async def test_a_model_that_never_decides_ends_at_its_budget(hasty_ward: Ward) -> None:
    number = count()

    def look(_: ModelRequest) -> Answer:
        return calls("kubectl_logs", name=f"pod-{next(number)}", namespace="default")

    incident, told = await hasty_ward.run(broken(), [look] * 100)

    assert incident.diagnosis is not None
    assert incident.diagnosis.source == "runbook"
    assert "budget" in told[-1]["model"]["given_up"]
    assert len(hasty_ward.model.requests) <= 12


async def test_no_secret_of_the_cluster_reaches_the_model(ward: Ward) -> None:
    hidden = "hunter2-7c9e6679-7425-40de-944b"
    scenario = broken(
        env=[{"name": "DB_PASSWORD", "value": hidden}, {"name": "MODE", "value": "seen"}],
        args=[f"--api-token={hidden}"],
    )
    metadata = {"name": "settings", "namespace": "default"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"api_token": hidden}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": hidden}}
    wanted = {"namespace": "default", "output": "yaml"}
    script = [
        calls("kubectl_get", resourceType="deployment", name=scenario.workload, **wanted),
        calls("kubectl_get", resourceType="configmap", name="settings", **wanted),
        calls("kubectl_get", resourceType="secret", name="settings", **wanted),
        forever(says(HAND_OVER)),
    ]

    await ward.run(scenario, script, config, secret)

    sent = json.dumps([request.body for request in ward.model.requests])
    assert "DB_PASSWORD" in sent
    assert "seen" in sent
    assert "api_token" in sent
    assert hidden not in sent
    assert KEY not in sent
