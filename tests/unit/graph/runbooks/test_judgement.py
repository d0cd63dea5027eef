"""A healthy workload answers an alert only if the alert claims that it isn't healthy."""

from dataclasses import replace
from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import HandOver, NothingWrong, Step
from graph.ports import Case
from tests.unit.graph.runbooks.runbook_cases import (
    POD,
    SHOP,
    MadeUpCluster,
    alert_about,
    named,
    play,
    running,
)

CLAIMS = ["KubePodNotReady", "KubePodCrashLooping", "KubeDeploymentReplicasMismatch", "Pods not ready"]
MEASURES = {
    "HighErrorRate": "traffic and errors",
    "KafkaConsumerGroupLag": "lag and queues",
    "CheckoutLatencyHigh": "latency",
    "KubePersistentVolumeFillingUp": "volumes and disks",
    "KubeQuotaAlmostFull": "quotas",
    "TLSCertificateExpiring": "certificates",
    "BackupFailed": "backups",
}


def healthy(**changes: Any) -> MadeUpCluster:
    container = {"name": "app", "image": "shop/api:1.0"}
    fields: dict[str, Any] = {"statuses": [running("app", ready=True)], "ready_older": 1}
    return MadeUpCluster(containers=[container], **(fields | changes))


def fires(
    *names: str, target: Target = SHOP, annotations: dict[str, str] | None = None, **labels: str
) -> Case:
    case = alert_about(target)
    one = case.group.alerts[0]
    alerts = tuple(
        one.model_copy(
            update={
                "labels": {**one.labels, "alertname": name, **labels},
                "annotations": annotations or {},
            }
        )
        for name in names
    )
    return replace(case, group=case.group.model_copy(update={"alerts": alerts}))


async def decide(case: Case, cluster: MadeUpCluster | None = None) -> Step:
    step, _, _ = await play(case, (cluster or healthy()).answer)
    return step


@pytest.mark.parametrize("name", CLAIMS)
async def test_what_an_alert_claims_and_is_not_so_needs_nothing(name: str) -> None:
    assert isinstance(await decide(fires(name)), NothingWrong)


@pytest.mark.parametrize(("name", "measured"), MEASURES.items())
async def test_healthy_pods_do_not_answer_what_an_alert_measures_elsewhere(name: str, measured: str) -> None:
    step = await decide(fires(name, pod=POD))

    assert isinstance(step, HandOver)
    assert "1 of 1 pods are ready" in step.reason
    assert f"alert {name} measures something else ({measured}), which can't be seen there" in step.reason


async def test_who_takes_over_is_told_what_the_alert_says_and_where_to_go_on() -> None:
    said = {"summary": "12% of checkout requests fail", "runbook_url": "https://runbooks.example/slo"}

    step = await decide(fires("HighErrorRate", annotations=said))

    assert isinstance(step, HandOver)
    assert step.advice == (
        "The alert says: 12% of checkout requests fail",
        "Follow the alert's own runbook: https://runbooks.example/slo",
    )


async def test_one_alert_of_a_group_that_was_not_judged_is_enough() -> None:
    step = await decide(fires("KubePodNotReady", "HighErrorRate"))

    assert isinstance(step, HandOver)
    assert "HighErrorRate" in step.reason
    assert "KubePodNotReady" not in step.reason


async def test_a_change_that_helped_stays_though_the_alert_cannot_be_judged() -> None:
    step = await decide(fires("HighErrorRate"))

    assert isinstance(step, HandOver)
    assert step.keep


class WithEvicted(MadeUpCluster):
    """Its Deployment is well again; the evicted pod is still listed."""

    phase: str = "Failed"
    reason: str = "Evicted"
    made_at: str | None = None

    def _list(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        listed = super()._list(arguments)
        if arguments["resourceType"] != "pods":
            return listed
        gone = {**self.pod, "metadata": {**self.pod["metadata"], "name": "shop-698c8b469-evict"}}
        gone["metadata"]["creationTimestamp"] = self.made_at
        gone["status"] = {
            "phase": self.phase,
            "reason": self.reason,
            "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        }
        return [*listed, gone]


async def test_a_deployment_that_is_well_does_not_answer_for_its_evicted_pod() -> None:
    container = {"name": "app", "image": "shop/api:1.0"}
    cluster = WithEvicted(
        containers=[container], statuses=[running("app", ready=True)], ready_older=1
    )  # fmt: skip

    about_it = await decide(fires("KubePodNotReady", pod="shop-698c8b469-evict"), cluster)
    about_another = await decide(fires("KubePodNotReady", pod=POD), cluster)
    about_replicas = await decide(fires("KubeDeploymentReplicasMismatch", deployment="shop"), cluster)

    assert isinstance(about_it, HandOver)
    assert "Evicted: Pod ephemeral local storage usage exceeds" in about_it.reason
    assert "kubectl delete pod shop-698c8b469-evict -n default" in about_it.reason
    assert isinstance(about_another, NothingWrong)
    assert isinstance(about_replicas, NothingWrong)


async def test_a_pod_that_is_not_ready_is_not_answered_by_the_others() -> None:
    condition = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}

    step = await decide(fires("KubePodNotReady", pod=POD), healthy(condition=condition))

    assert isinstance(step, HandOver)
    assert step.reason.startswith(f"Pod {POD}: “ReadinessGatesNotReady” (condition Ready)")


NODE = named("worker-7", status={"conditions": [{"type": "Ready", "status": "True"}]})
WORKER = Target(kind="Node", namespace=None, name="worker-7")


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("KubeNodeNotReady", True),
        ("KubernetesNodeMemoryPressure", True),
        ("NodeFilesystemAlmostOutOfSpace", False),
        ("NodeClockSkewDetected", False),
        ("KubeletTooManyPods", False),
        ("KubePodNotReady", False),
    ],
)
async def test_a_node_that_is_ready_answers_only_for_that(name: str, *, answered: bool) -> None:
    step = await decide(fires(name, target=WORKER), healthy(lists={"nodes": [NODE]}))

    assert isinstance(step, NothingWrong if answered else HandOver)


@pytest.mark.parametrize(("name", "answered"), [
    ("KubePersistentVolumeClaimPending", True), ("KubePersistentVolumeFillingUp", False),
])  # fmt: skip
async def test_a_claim_that_is_bound_answers_only_for_that(name: str, *, answered: bool) -> None:
    data = Target(kind="PersistentVolumeClaim", namespace="default", name="data")
    claim = named("data", status={"phase": "Bound"})
    cluster = healthy(lists={"persistentvolumeclaims": [claim], "storageclasses": []})

    step = await decide(fires(name, target=data), cluster)

    assert isinstance(step, NothingWrong if answered else HandOver)


@pytest.mark.parametrize(("complete", "name", "answered"), [
    (True, "KubeJobFailed", True), (False, "KubeJobNotCompleted", False), (True, "BackupTooOld", False),
])  # fmt: skip
async def test_a_job_answers_only_once_it_is_complete(complete: bool, name: str, answered: bool) -> None:
    class Nightly(MadeUpCluster):
        @property
        def workload(self) -> dict[str, Any]:
            done: dict[str, Any] = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
            return {
                "kind": "Job",
                "metadata": {"name": "nightly", "uid": "j"},
                "spec": {"selector": {"matchLabels": {"job": "nightly"}}},
                "status": done if complete else {"active": 1, "ready": 1},
            }

    cluster = Nightly(containers=[], statuses=[], no_pods=True)
    job = Target(kind="Job", namespace="default", name="nightly")

    step = await decide(fires(name, target=job, job_name="nightly"), cluster)

    assert isinstance(step, NothingWrong if answered else HandOver)


@pytest.mark.parametrize("target", [SHOP, Target(kind="Service", namespace="default", name="shop")])
async def test_nobody_is_told_to_silence_what_was_not_found(target: Target) -> None:
    step, _, _ = await play(
        fires("KubePodNotReady", target=target), lambda _: ('{"error": {"code": 404}}', True)
    )

    assert isinstance(step, HandOver)
    assert not any("silence" in line or "nothing is left to do" in line for line in step.advice)


async def test_a_static_pod_is_looked_at_on_its_node() -> None:
    owner = {"kind": "Node", "name": "cp-1", "uid": "n", "controller": True}
    pod = named("etcd-cp-1", kind="Pod", metadata={"ownerReferences": [owner]}, status={})
    etcd = Target(kind="Pod", namespace="kube-system", name="etcd-cp-1")

    step = await decide(fires("KubePodNotReady", target=etcd), healthy(lists={"pods": [pod]}))

    assert isinstance(step, HandOver)
    assert "static pod of node cp-1" in step.reason
    assert any("/etc/kubernetes/manifests" in line for line in step.advice)


@pytest.mark.parametrize("name", ["PodEvicted", "HighErrorRate", "KubePodNotReady"])
@pytest.mark.parametrize(("phase", "reason"), [("Failed", "Evicted"), ("Succeeded", "Completed")])
async def test_whatever_an_alert_measures_its_own_pod_that_is_over_is_told(
    name: str, phase: str, reason: str
) -> None:
    cluster = WithEvicted(
        [{"name": "app", "image": "shop/api:1.0"}], [running("app", ready=True)], ready_older=1
    )
    cluster.phase, cluster.reason = phase, reason

    step = await decide(fires(name, pod="shop-698c8b469-evict"), cluster)

    assert isinstance(step, HandOver)
    assert f"pod shop-698c8b469-evict itself is over ({reason}: Pod ephemeral" in step.reason


@pytest.mark.parametrize("name", ["KubeAPITerminatedRequests", "KubeClientCertificateExpiration"])
async def test_a_service_that_selects_nothing_is_kept_by_somebody_else(name: str) -> None:
    api = Target(kind="Service", namespace="default", name="kubernetes")
    service = named("kubernetes", kind="Service", spec={"ports": [{"port": 443}]})

    step = await decide(fires(name, target=api), healthy(lists={"services": [service]}))

    assert isinstance(step, HandOver)
    assert "it selects no pods, and somebody else keeps its endpoints" in step.reason
    assert "which can't be seen there" in step.reason


async def test_an_alert_about_a_static_pod_tells_what_it_measures() -> None:
    owner = {"kind": "Node", "name": "cp-1", "uid": "n", "controller": True}
    pod = named("etcd-cp-1", kind="Pod", metadata={"ownerReferences": [owner]}, status={})
    etcd = Target(kind="Pod", namespace="kube-system", name="etcd-cp-1")
    said = {"summary": "fsync takes 2 s"}

    step = await decide(
        fires("etcdHighFsyncDurations", target=etcd, annotations=said), healthy(lists={"pods": [pod]})
    )

    assert isinstance(step, HandOver)
    assert "static pod of node cp-1" in step.reason
    assert "measures something else (latency), which can't be seen there" in step.reason
    assert "The alert says: fsync takes 2 s" in step.advice


@pytest.mark.parametrize(
    ("made_at", "told"), [("2026-11-23T11:50:00Z", True), ("2026-11-23T07:00:00Z", False)]
)
async def test_a_pod_that_was_driven_out_lately_is_told_beside_a_healthy_one(
    made_at: str, *, told: bool
) -> None:
    made = [{"name": "app", "image": "shop/api:1.0"}]
    cluster = WithEvicted(made, [running("app", ready=True)], ready_older=1)
    cluster.made_at = made_at

    step = await decide(fires("KubePodNotReady", pod=POD), cluster)

    assert isinstance(step, HandOver if told else NothingWrong)
