"""The built-in policy: whatever isn't known is refused."""

from typing import Any

import pytest

from graph.policy import refuse_call, refuse_change, refuse_tool
from tools.diffing import FieldChange
from tools.patch import PatchArguments

BEFORE = {"metadata": {"name": "web"}}
CONTAINER = "spec.template.spec.containers[nginx]"


def call(**changes: Any) -> PatchArguments:
    fields = {"resource_type": "deployment", "name": "web", "namespace": "default", "patch_data": {}}
    return PatchArguments.model_validate(fields | changes)


@pytest.mark.parametrize(
    "tool", ["kubectl_patch", "kubectl_delete", "exec_in_pod", "kubectl_generic", "", "KUBECTL_GET"]
)
def test_a_tool_that_is_not_listed_counts_as_mutating(tool: str) -> None:
    assert refuse_tool(tool)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_protected_namespaces_are_left_alone(namespace: str) -> None:
    assert refuse_call(call(namespace=namespace))


@pytest.mark.parametrize("kind", ["secret", "Role", "node", "namespace", "pod", "customresourcedefinition"])
def test_only_workloads_may_be_patched(kind: str) -> None:
    assert refuse_call(call(resource_type=kind))


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25-", after="nginx:1.25"),
        FieldChange(path=f"{CONTAINER}.image", before="a:1", after="reg.io:5000/a@sha256:" + "0" * 64),
        FieldChange(path=f"{CONTAINER}.resources.limits.memory", before="64Mi", after="128Mi"),
        FieldChange(path=f"{CONTAINER}.readinessProbe.httpGet.port", before=8081, after=8080),
        FieldChange(path='metadata.annotations["alertmend.io/approval"]', after="apr-1", added=True),
    ],
)
def test_a_fix_of_the_cause_is_let_through(change: FieldChange) -> None:
    assert refuse_change(BEFORE, [change]) is None


@pytest.mark.parametrize(
    "change",
    [
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="nginx:latest"),
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="nginx"),
        FieldChange(path=f"{CONTAINER}.image", before="nginx:1.25", after="reg.io:5000/nginx"),
        FieldChange(path=f"{CONTAINER}.livenessProbe", before={}, removed=True),
        FieldChange(path=f"{CONTAINER}.resources.limits.memory", before="64Mi", removed=True),
        FieldChange(path=f"{CONTAINER}.resources", before={}, removed=True),
        FieldChange(path="spec.replicas", before=3, after=0),
        FieldChange(path=f"{CONTAINER}.securityContext.privileged", after=True, added=True),
        FieldChange(path="spec.template.spec.hostNetwork", after=True, added=True),
        FieldChange(path="spec.template.spec.serviceAccountName", before="a", after="admin"),
        FieldChange(path="metadata.labels", after={"a": "b"}, added=True),
        FieldChange(path="spec.selector.matchLabels.app", before="a", after="b"),
        FieldChange(
            path='spec.template.metadata.annotations["alertmend.io/approval"]', after="x", added=True
        ),
        FieldChange(path='spec.template.spec.nodeSelector["alertmend.io/approval"]', after="x", added=True),
    ],
)
def test_a_cure_of_the_symptom_or_an_unknown_field_is_refused(change: FieldChange) -> None:
    assert refuse_change(BEFORE, [change])


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}},
        {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/api"}},
    ],
)
def test_a_gitops_managed_object_is_not_patched(metadata: dict[str, Any]) -> None:
    assert "GitOps" in str(refuse_change({"metadata": metadata}, []))


def test_an_object_that_a_controller_owns_is_not_patched() -> None:
    owner = {"kind": "Rollout", "name": "shop", "uid": "u", "controller": True}

    assert "Rollout/shop" in str(refuse_change({"metadata": {"ownerReferences": [owner]}}, []))
