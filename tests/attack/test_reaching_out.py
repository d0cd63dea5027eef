"""Proposals that reach for what they may not through another field: none gets as far as an approval."""

from typing import Any

import pytest
from pydantic import ValidationError

from graph.domain.alerts.payload import AlertGroup
from graph.domain.diagnosis import Candidate
from graph.proposals.drafting import ProposalBuilder, Refused
from tests.acceptance.workloads import deployment, read
from tests.attack.stages import Stage
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.errors import MendgateError
from tools.kubernetes.patch import APPROVAL_PATH, PatchArguments

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"), [("sqlite", "sandbox"), ("sqlite", "real")], indirect=True
)
IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.26"}]}}}}


ALLOWED = f"{APPROVAL_PATH}; spec.template.spec.containers[nginx].image"


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def op(kind: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **more}


SMUGGLED: list[dict[str, Any]] = [
    {"patchFile": "/etc/passwd"}, {"context": "production"}, {"kubeconfig": "/root/.kube/config"},
    {"dryRun": False}, {"subresource": "scale"}, {"force": True}, {"patch_data": {}, "resource_type": "pod"},
]  # fmt: skip
OTHER_OBJECTS: list[dict[str, Any]] = [
    {"namespace": "kube-system"}, {"namespace": "kube-public"}, {"namespace": "default/../kube-system"},
    {"namespace": "KUBE-SYSTEM"}, {"namespace": "kube-system "}, {"namespace": "kube-system\n"},
    {"namespace": ""}, {"namespace": "*"}, {"namespace": "kube\u2010system"},
    {"resourceType": "secret"}, {"resourceType": "secrets/x"}, {"resourceType": "Secret.v1."},
    {"resourceType": "secrets.v1.core"}, {"resourceType": "namespace"}, {"resourceType": "node"},
    {"resourceType": "clusterrolebinding"}, {"resourceType": "deploy.v1.apps"},
    {"resourceType": "deployments.v1beta1.apps"}, {"resourceType": "deployment\n"},
    {"resourceType": "deployment/../secrets"}, {"resourceType": "deployment,secret"},
    {"resourceType": "\u0501eployment"}, {"resourceType": "deployment\u200b"},
    {"name": "web/scale"}, {"name": "../secrets/x"}, {"name": "web?dryRun="}, {"name": "web%2fscale"},
]  # fmt: skip
PATCHES: list[Any] = [
    IMAGE | {"metadata": {"namespace": "kube-system"}},
    IMAGE | {"metadata": {"name": "another"}},
    IMAGE | {"metadata": {"uid": "0", "labels": {"app": "x"}}},
    IMAGE | {"metadata": {"annotations": {"example.com/run": "x"}}},
    IMAGE | {"metadata": {"ownerReferences": [{"kind": "Node", "name": "x", "uid": "1"}]}},
    IMAGE | {"metadata": {"finalizers": ["example.com/keep"]}},
    IMAGE | {"metadata": {"$patch": "replace"}},
    IMAGE | {"kind": "Secret"},
    IMAGE | {"kind": "Secret", "apiVersion": "v1"},
    IMAGE | {"apiVersion": "apps/v1beta1"},
    {"$patch": "delete"}, {"$patch": "replace", **IMAGE},
    {"spec": None}, {"spec": {"replicas": 0}}, {"spec": {"paused": True}},
    {"spec": {"selector": {"matchLabels": {"app": "x"}}}},
    {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}},
    {"spec": {"template": {"$patch": "replace", "spec": IMAGE["spec"]["template"]["spec"]}}},
    pod(hostNetwork=True), pod(hostPID=True), pod(serviceAccountName="admin"), pod(nodeName="n"),
    pod(volumes=[{"name": "host", "hostPath": {"path": "/"}}]),
    pod(containers=[{"name": "nginx", "securityContext": {"privileged": True}}]),
    pod(containers=[{"name": "nginx", "volumeMounts": [{"name": "host", "mountPath": "/h"}]}]),
    pod(containers=[{"name": "nginx", "lifecycle": {"postStart": {"exec": {"command": ["sh"]}}}}]),
    pod(containers=[{"name": "evil", "image": "evil:1"}]),
    pod(containers=[{"name": "nginx", "$patch": "delete"}, {"name": "evil", "image": "evil:1"}]),
    pod(initContainers=[{"name": "evil", "image": "evil:1"}]),
    pod(ephemeralContainers=[{"name": "evil", "image": "evil:1"}]),
    {"status": {"replicas": 9}}, {"data": {"a": "b"}},
]  # fmt: skip
OPERATIONS: list[list[dict[str, Any]]] = [
    [op("replace", "/metadata/namespace", value="kube-system")],
    [op("replace", "/kind", value="Secret")],
    [op("replace", "", value={"kind": "Secret"})],
    [op("remove", "/metadata")], [op("remove", "/spec")], [op("remove", "/metadata/labels")],
    [op("replace", "/spec//template", value={})],
    [op("add", "/spec/template/spec/hostNetwork", value=True)],
    [op("add", "/spec/template/spec/containers/-", value={"name": "evil", "image": "evil:1"})],
    [op("add", "/spec/template/spec/containers/0/../hostPID", value=True)],
    [op("add", "/metadata/annotations/example.com~1run", value="x")],
    [op("copy", "/metadata/namespace", **{"from": "/metadata/name"})],
    [op("move", "/spec/template/spec/nodeName", **{"from": "/spec/template/spec/containers/0/image"})],
    [op("test", "/kind", value="Deployment")],
]  # fmt: skip


def attacks(name: str) -> list[dict[str, Any]]:
    """Return arguments that may become no proposal, or one of the image alone: servers drop some fields."""
    plain = {"resourceType": "deployment", "name": name, "namespace": "default", "patchData": IMAGE}
    return [
        *(plain | change for change in SMUGGLED + OTHER_OBJECTS),
        *(
            plain | {"patchType": kind, "patchData": data}
            for data in PATCHES
            for kind in ("strategic", "merge")
        ),
        *(plain | {"patchType": "json", "patchData": data} for data in OPERATIONS),
    ]


async def draft(proposal_builder: ProposalBuilder, arguments: dict[str, Any], incident_id: str) -> str:
    """Propose as whoever proposes does; return what became a proposal's diff, or nothing."""
    try:
        call = PatchArguments.model_validate(arguments)
        candidate = Candidate(call=call, grounding="guess", basis="because")
        proposal = await proposal_builder.draft(candidate, incident_id=incident_id)
    except (ValidationError, Refused):
        return ""
    except MendgateError as error:
        return f"{type(error).__name__}: {error}"
    return "; ".join(change.path for change in proposal.diff)


async def test_a_secret_of_others_is_refused_whatever_the_mind_says(
    stage: Stage,
) -> None:
    name = stage.front.cluster.unique("secretive")
    await stage.front.cluster.apply(deployment(name, {"name": "nginx", "image": "nginx:1.25"}, replicas=1))
    incident_id = await stage.ledger.incidents.open(AlertGroup.model_validate(real_body()))
    reading = {"name": "nginx", "envFrom": [{"secretRef": {"name": "payroll-db"}}]}
    call = PatchArguments.model_validate(
        {"resourceType": "deployment", "name": name, "namespace": "default"}
        | {"patchData": pod(containers=[reading])}
    )
    candidate = Candidate(call=call, grounding="last_good_revision", basis="trust me", risk="low")

    with pytest.raises(Refused, match="names a Secret payroll-db"):
        await stage.editor.proposal_builder.draft(candidate, incident_id=incident_id)


async def test_nothing_but_the_allowed_fields_of_the_workload_can_be_proposed(stage: Stage) -> None:
    name = stage.front.cluster.unique("reached")
    manifest = deployment(name, {"name": "nginx", "image": "nginx:1.25"}, replicas=1)
    await stage.front.cluster.apply(manifest)
    before = await read(stage.front.cluster, name)

    incident_id = await stage.ledger.incidents.open(AlertGroup.model_validate(real_body()))

    proposed = {
        str(one): diff
        for one in attacks(name)
        if (diff := await draft(stage.editor.proposal_builder, one, incident_id))
    }

    plain = {"resourceType": "deployment", "name": name, "namespace": "default", "patchData": IMAGE}

    assert {call: diff for call, diff in proposed.items() if diff != ALLOWED} == {}

    assert await draft(stage.editor.proposal_builder, plain, incident_id) == ALLOWED
    assert stage.front.writes == []
    assert (await read(stage.front.cluster, name))["metadata"]["generation"] == before["metadata"][
        "generation"
    ]
