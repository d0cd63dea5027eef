"""Whatever is twisted in the evidence of any family, nothing is raised, and proposals stay harmless."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.domain.diagnosis import CallTools, HandOver, ProposePatch
from graph.policy import BUILT_IN, refuse_call
from graph.runbooks import RunbookDiagnostician
from tests.unit.graph.runbooks.runbook_cases import (
    JSON,
    POD,
    SHOP,
    MadeUpCluster,
    alert_about,
    event,
    killed,
    named,
    places,
    play,
    replaced,
    running,
    waiting,
)

# what a patch may touch, and where it may delete: a command, a misspelt label, a value that has a source now
FIELDS = {
    "name", "image", "command", "args", "env", "envFrom", "resources", "readinessProbe", "livenessProbe",
    "startupProbe",
}  # fmt: skip
POD_FIELDS = {
    "containers",
    "initContainers",
    "volumes",
    "nodeSelector",
    "affinity",
    "tolerations",
    "dnsPolicy",
}
MAY_DELETE = ("command", "args", "envFrom", "nodeSelector.", "affinity", "env.value", "env.valueFrom")
NODE = named(
    "n1",
    metadata={"labels": {"disk": "ssd"}},
    status={
        "allocatable": {"cpu": "4", "memory": "8Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
)


def made(**fields: Any) -> dict[str, Any]:
    return {
        "name": "app",
        "image": "shop/api:1.0",
        "ports": [{"containerPort": 8080, "name": "http"}],
        **fields,
    }


def cluster(*, status: Any = None, older: Any = None, **fields: Any) -> MadeUpCluster:
    containers = fields.pop("containers", [made()])
    statuses = [status or killed("app", "Error")]
    return MadeUpCluster(
        **{"containers": containers, "statuses": statuses, "older": [[older]] if older else [], **fields}
    )


CASES: dict[str, MadeUpCluster] = {
    "configuration": cluster(
        status=waiting("app", "CreateContainerConfigError", 'configmap "app-confg" not found'),
        containers=[made(envFrom=[{"configMapRef": {"name": "app-confg"}}])],
        lists={"configmaps": [named("app-config")]},
    ),
    "command": cluster(
        containers=[made(args=["--prot=80"])], log="unknown flag: --prot", older=made(args=["--port=80"])
    ),
    "environment": cluster(
        log="KeyError: 'DB_URL'", older=made(env=[{"name": "DB_URL", "value": "postgres://db"}])
    ),
    "host": cluster(
        containers=[made(env=[{"name": "DB", "value": "postgers:5432"}])],
        log="lookup postgers: no such host",
        services=[named("postgres")],
    ),
    "rollout": cluster(containers=[made(command=["false"])], log="it broke", older=made(), ready_older=1),
    "selector": cluster(
        statuses=[],
        spec={"nodeSelector": {"disk": "sdd"}},
        condition={"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"},
        lists={"nodes": [NODE]},
    ),
    "quota": cluster(
        containers=[made(resources={"limits": {"memory": "2Gi"}})],
        no_pods=True,
        events=[
            event(
                "FailedCreate",
                "Error creating: maximum memory usage per Container is 1Gi, but limit is 2Gi",
                "ReplicaSet",
                "shop-1",
            )
        ],
    ),
    "path": cluster(
        status=running("app", ready=False),
        containers=[made(readinessProbe={"httpGet": {"path": "/raedy", "port": "http"}})],
        older=made(readinessProbe={"httpGet": {"path": "/ready", "port": "http"}}),
        warnings=["Readiness probe failed: HTTP probe failed with statuscode: 404"],
    ),
    "service": cluster(
        status=running("app", ready=True),
        ready_older=1,
        services=[named("shop", spec={"selector": {"app": "shpo"}, "ports": [{"port": 80}]})],
        lists={"endpoints": [named("shop")]},
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_case_is_a_proposal_before_it_is_twisted(name: str) -> None:
    step, _, _ = await play(alert_about(SHOP, POD), CASES[name].answer)

    assert isinstance(step, ProposePatch), step
    _assert_harmless(step)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_is_twisted_in_a_familys_evidence_proposals_stay_harmless(
    data: st.DataObject, name: str
) -> None:
    _, case, _ = await play(alert_about(SHOP, POD), CASES[name].answer)
    readable = [n for n, each in enumerate(case.evidence) if each.text.startswith("{")]
    number = data.draw(st.sampled_from(readable))
    document = json.loads(case.evidence[number].text)
    place = data.draw(st.sampled_from(places(document)))
    twisted = json.dumps(replaced(document, place, data.draw(JSON)))
    evidence = list(case.evidence)
    evidence[number] = evidence[number].model_copy(update={"text": twisted})

    step = (await RunbookDiagnostician().decide(replace(case, evidence=tuple(evidence)))).step

    step.model_dump_json()
    if isinstance(step, ProposePatch):
        _assert_harmless(step)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=400))
async def test_whatever_a_program_writes_proposals_stay_harmless(name: str, text: str) -> None:
    hostile = replace(CASES[name], log=f"{CASES[name].log}\n{text}", warnings=[*CASES[name].warnings, text])

    step, _, _ = await play(alert_about(SHOP, POD), hostile.answer)

    assert not isinstance(step, CallTools)
    step.model_dump_json()
    if isinstance(step, ProposePatch):
        _assert_harmless(step)
    if isinstance(step, HandOver):
        assert not any("\x1b" in advice for advice in step.advice)


def _assert_harmless(step: ProposePatch) -> None:
    call = step.candidate.call
    assert refuse_call(call, BUILT_IN) is None
    assert isinstance(call.patch_data, dict)
    assert list(call.patch_data) == ["spec"]
    assert "<redacted>" not in json.dumps(call.patch_data)
    spec = call.patch_data["spec"]
    if call.resource_type == "service":
        assert set(spec) <= {"selector", "ports"}
        assert None not in [value for _, value in _leaves(spec)]
        return
    assert list(spec) == ["template"]
    assert set(spec["template"]["spec"]) <= POD_FIELDS
    for group in ("containers", "initContainers"):
        for container in spec["template"]["spec"].get(group, []):
            assert set(container) <= FIELDS
            assert not str(container.get("image", "")).endswith(":latest")
    deleted = [path for path, value in _leaves(spec["template"]["spec"]) if value is None]
    assert all(any(allowed in path for allowed in MAY_DELETE) for path in deleted)


def _leaves(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(document, list):
        for value in document:
            yield from _leaves(value, path)
    else:
        yield path, document
