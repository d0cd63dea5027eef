"""What no approval opens, reached for below an open field or by its effect: none becomes a proposal.

Whoever proposes goes this way, a runbook, a model or a person who edits; so the drafter is asked.
"""

from typing import Any

import pytest

from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import Candidate
from graph.proposals.drafting import Refused
from tests.acceptance.workloads import deployment, read
from tests.attack.stages import Stage
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.kubernetes.patch import PatchArguments

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"), [("sqlite", "sandbox"), ("sqlite", "real")], indirect=True
)
PROBE = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 10, "failureThreshold": 3}
NGINX: dict[str, Any] = {
    "name": "nginx",
    "image": "nginx:1.25",
    "ports": [{"name": "http", "containerPort": 80}],
    "livenessProbe": PROBE,
    "resources": {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}},
    "env": [{"name": "MODE", "value": "plain"}],
}


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "nginx", **fields}]}}}}


def probe(**fields: Any) -> dict[str, Any]:
    return container(livenessProbe=fields)


def op(path: str, value: Any, kind: str = "add") -> list[dict[str, Any]]:
    return [{"op": kind, "path": f"/spec/template/spec/containers/0{path}", "value": value}]


IMAGE = container(image="nginx:1.26")
HOLES: dict[str, Any] = {
    "a port of the node": container(ports=[{"containerPort": 80, "hostPort": 80}]),
    "a port of the node, by a JSON patch": op("/ports/0/hostPort", 80),
    "an address of the node": container(ports=[{"containerPort": 80, "hostPort": 80, "hostIP": "0.0.0.0"}]),
    "a probe of another host": probe(httpGet={"host": "169.254.169.254"}),
    "a probe with headers": probe(httpGet={"httpHeaders": [{"name": "Host", "value": "x"}]}),
    "a probe of another host by TCP": container(
        readinessProbe={"tcpSocket": {"port": 80, "host": "10.0.0.1"}}
    ),
    "a probe that runs true": probe(httpGet=None, exec={"command": ["true"]}),
    "a first probe that runs true": container(readinessProbe={"exec": {"command": ["true"]}}),
    "a probe that only connects": probe(httpGet=None, tcpSocket={"port": 80}),
    "a probe that never fails": probe(failureThreshold=1_000_000),
    "a probe that is never asked": probe(periodSeconds=86_400),
    "a probe that waits for ever": probe(initialDelaySeconds=1_000_000),
    "a probe without a time limit": probe(timeoutSeconds=100_000),
    "no probe": container(livenessProbe=None),
    "no memory at all": container(resources={"limits": {"memory": "0"}, "requests": {"memory": "0"}}),
    "all memory": container(resources={"limits": {"memory": "1Ei"}}),
    "sixty times the memory": container(resources={"limits": {"memory": "60Gi"}}),
    "a claim on all memory": container(
        resources={"limits": {"memory": "1Ei"}, "requests": {"memory": "1Ei"}}
    ),
    "no limit": container(resources={"limits": None}),
    "a hundred thousand replicas": {"spec": {"replicas": 100_000}},
    "a tag that moves": container(image="nginx:stable"),
    "a tag of a flavour": container(image="nginx:alpine3.20"),
    "a branch": container(image="nginx:main"),
    "a name with a homoglyph": container(image="nginx\u03bf:1.26"),
    "a registry with a homoglyph": container(image="ghcr.\u0456o/nginx/nginx:1.26"),
    "a registry in Punycode": container(image="xn--ghcr-8cd.io/nginx/nginx:1.26"),
    "a version in other digits": container(image="nginx:\u0661.\u0662"),
    "a variable from a Secret": container(
        env=[{"name": "P", "valueFrom": {"secretKeyRef": {"name": "payroll-db", "key": "password"}}}]
    ),
    "all of a Secret": container(envFrom=[{"secretRef": {"name": "payroll-db"}}]),
    "credentials of a registry": {
        "spec": {"template": {"spec": {"imagePullSecrets": [{"name": "payroll-registry"}]}}}
    },
    "a hook to another host": container(
        lifecycle={"preStop": {"httpGet": {"host": "10.0.0.1", "path": "/", "port": 80}}}
    ),
    "no managedFields": IMAGE | {"metadata": {"managedFields": [{}]}},
    "no managedFields, by a JSON patch": [
        {"op": "replace", "path": "/metadata/managedFields", "value": [{}]},
        *op("/image", "nginx:1.26", "replace"),
    ],
    "an owner": IMAGE
    | {
        "metadata": {
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"}]
        }
    },
    "a finalizer": IMAGE | {"metadata": {"finalizers": ["example.com/keep"]}},
    "a label of identity": IMAGE | {"metadata": {"labels": {"app": "payroll"}}},
}  # fmt: skip


async def draft(stage: Stage, name: str, patch: Any, incident_id: str) -> str:
    """Propose a patch; return why it is refused, or nothing."""
    call = PatchArguments.model_validate(
        {"resourceType": "deployment", "name": name, "namespace": "default", "patchData": patch}
        | {"patchType": "json" if isinstance(patch, list) else "strategic"}
    )
    candidate = Candidate(call=call, grounding="last_good_revision", basis="trust me")
    try:
        await stage.editor.proposal_builder.draft(candidate, incident_id=incident_id)
    except Refused as refusal:
        return str(refusal)
    return ""


async def test_a_closed_field_stays_closed_however_it_is_reached(stage: Stage) -> None:
    name = stage.front.cluster.unique("closed")
    await stage.front.cluster.apply(deployment(name, NGINX, replicas=1))
    before = await read(stage.front.cluster, name)
    incident_id = await stage.ledger.incidents.open(AlertGroup.model_validate(real_body()))

    refusals = {hole: await draft(stage, name, patch, incident_id) for hole, patch in HOLES.items()}

    assert [hole for hole, refusal in refusals.items() if not refusal] == []
    assert (await read(stage.front.cluster, name))["spec"] == before["spec"]
    assert stage.front.writes == []


async def test_what_is_open_can_still_be_proposed(stage: Stage) -> None:
    name = stage.front.cluster.unique("open")
    await stage.front.cluster.apply(deployment(name, NGINX, replicas=1))
    incident_id = await stage.ledger.incidents.open(AlertGroup.model_validate(real_body()))
    patches = [
        container(image="nginx:1.27.3-alpine"), container(resources={"limits": {"memory": "256Mi"}}),
        probe(httpGet={"path": "/healthz"}), probe(failureThreshold=6), {"spec": {"replicas": 4}},
        container(ports=[{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 9090}]),
        container(env=[{"name": "MODE", "value": "other"}]),
    ]  # fmt: skip

    assert {await draft(stage, name, patch, incident_id) for patch in patches} == {""}
