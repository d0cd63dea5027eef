"""Whole incidents through the running service, on the sandbox and on a real API server alike."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.services import ENDS, ServiceProcess
from tests.integration.clusters import ClusterUnderTest, Object, await_condition

WEBHOOK = Path(__file__).parents[1] / "data" / "alertmanager-webhook.json"


def real_body() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(WEBHOOK.read_text())
    return body


def body_for(deployment: str, alertname: str = "KubePodNotReady") -> dict[str, Any]:
    """Return the real body with another workload's name in its pods."""
    text = WEBHOOK.read_text().replace("nginx-deployment", deployment).replace("KubePodNotReady", alertname)
    body: dict[str, Any] = json.loads(text)
    return body


def deployment(name: str, container: Object, replicas: int = 3, **annotations: str) -> Object:
    """Return a Deployment; `annotations` tell the clusters' fake kubelets how its program behaves."""
    told = {
        f"{prefix}/{key.replace('_', '-')}": value
        for key, value in annotations.items()
        for prefix in ("sim.local", "sandbox.alertmend.io")
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {
                "metadata": {"labels": labels, "annotations": told},
                "spec": {"containers": [container]},
            },
        },
    }


async def read(cluster: ClusterUnderTest, name: str) -> Object:
    answer = await cluster.reader.get(f"/apis/apps/v1/namespaces/default/deployments/{name}")
    document: Object = answer.json()
    return document


async def pods(cluster: ClusterUnderTest, name: str) -> list[Object]:
    answer = await cluster.reader.get(
        "/api/v1/namespaces/default/pods", params={"labelSelector": f"app={name}"}
    )
    items: list[Object] = answer.json()["items"]
    return items


async def until_available(cluster: ClusterUnderTest, name: str) -> None:
    async def probe() -> bool | None:
        document = await read(cluster, name)
        status = document.get("status", {})
        return status.get("availableReplicas") == document["spec"]["replicas"] or None

    await await_condition(probe, f"{name} to be available", 60)


async def until_waiting(cluster: ClusterUnderTest, name: str, *reasons: str) -> None:
    async def probe() -> bool | None:
        found = [
            status["state"].get("waiting", {}).get("reason") in reasons
            for pod in await pods(cluster, name)
            for status in pod["status"].get("containerStatuses") or []
        ]
        return (bool(found) and all(found)) or None

    await await_condition(probe, f"{name} to wait with {reasons}", 60)


async def until_unready(cluster: ClusterUnderTest, name: str) -> None:
    """Wait until containers run, no pod is Ready, and a failed probe has been reported."""

    async def probe() -> bool | None:
        answer = await cluster.reader.get(
            "/api/v1/namespaces/default/events", params={"fieldSelector": "reason=Unhealthy"}
        )
        told = [one for one in answer.json()["items"] if one["involvedObject"]["name"].startswith(name)]
        status = (await read(cluster, name)).get("status", {})
        return (bool(told) and not status.get("readyReplicas")) or None

    await await_condition(probe, f"{name} to be unready", 60)


@dataclass
class Watch:
    """A service that watches a cluster."""

    cluster: ClusterUnderTest
    service: ServiceProcess


@asynccontextmanager
async def watching(
    cluster: ClusterUnderTest, folder: Path, *, writes: bool = True, **environment: str
) -> AsyncIterator[Watch]:
    writer = cluster.writer_kubeconfig if writes else None
    service = ServiceProcess(folder, cluster.reader_kubeconfig, writer, **environment)
    await service.start()
    yield Watch(cluster, service)
    assert await service.stop() == 0


@pytest.fixture
async def watch(cluster: ClusterUnderTest, tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(cluster, tmp_path) as watch:
        yield watch


async def break_image(cluster: ClusterUnderTest, name: str) -> None:
    """Let the workload run nginx:1.25, then ask for the tag with the typo, as it really happened."""
    container = {"name": "nginx", "image": "nginx:1.25"}
    await cluster.apply(deployment(name, container))
    await until_available(cluster, name)
    await cluster.apply(deployment(name, {**container, "image": "nginx:1.25-"}))
    await until_waiting(cluster, name, "ImagePullBackOff", "ErrImagePull")


async def test_the_reference_incident_is_fixed_with_its_real_alert_body(watch: Watch) -> None:
    await break_image(watch.cluster, "nginx-deployment")

    incident_id = await watch.service.post_alert(real_body())
    approval = await watch.service.pending_approval(incident_id)
    decided = await watch.service.decide(approval, "approve", "the tag has a typo")
    incident = await watch.service.wait_for(incident_id, *ENDS)

    live = await read(watch.cluster, "nginx-deployment")
    report = await watch.service.report(incident_id)
    assert decided.status_code == 201
    assert approval["grounding"] == "last_good_revision"
    assert (incident["status"], incident["verdict"]) == ("resolved", "verified")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"
    assert live["metadata"]["annotations"]["alertmend.io/approval"] == approval["id"]
    assert "alertmend.io/approval" not in str(live["spec"]["template"]["metadata"])
    assert live["status"]["availableReplicas"] == 3
    for fact in ("nginx-deployment-85c88b48cd-6kmxz", approval["digest"], "the tag has a typo", "verified"):
        assert fact in report


async def test_a_rejected_proposal_leaves_the_cluster_alone(watch: Watch) -> None:
    name = watch.cluster.unique("rejected")
    await break_image(watch.cluster, name)
    generation = (await read(watch.cluster, name))["metadata"]["generation"]

    incident_id = await watch.service.post_alert(body_for(name))
    incident = await watch.service.decide_all(incident_id, "reject")

    live = await read(watch.cluster, name)
    assert live["metadata"]["generation"] == generation
    assert "alertmend.io/approval" not in str(live["metadata"])
    assert (incident["status"], incident["verdict"]) == ("rejected", None)
    assert "The cluster was not changed." in await watch.service.report(incident_id)


async def test_a_container_killed_for_memory_gets_more_of_it(watch: Watch) -> None:
    name = watch.cluster.unique("hungry")
    container = {
        "name": "app",
        "image": "nginx:1.25",
        "resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    }
    await watch.cluster.apply(deployment(name, container, 1, needs_memory="200Mi"))
    await until_waiting(watch.cluster, name, "CrashLoopBackOff")

    incident_id = await watch.service.post_alert(body_for(name, "KubePodCrashLooping"))
    approval = await watch.service.pending_approval(incident_id)
    await watch.service.decide(approval, "approve")
    incident = await watch.service.wait_for(incident_id, *ENDS)

    live = await read(watch.cluster, name)
    assert incident["status"] == "resolved", incident
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "256Mi"


async def test_a_probe_on_the_wrong_port_is_moved_to_the_declared_one(watch: Watch) -> None:
    name = watch.cluster.unique("deaf")
    container = {
        "name": "app",
        "image": "nginx:1.25",
        "ports": [{"name": "http", "containerPort": 80}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8081}, "periodSeconds": 1},
    }
    await watch.cluster.apply(deployment(name, container, 1))
    await until_unready(watch.cluster, name)

    incident_id = await watch.service.post_alert(body_for(name))
    await watch.service.decide(await watch.service.pending_approval(incident_id), "approve")
    incident = await watch.service.wait_for(incident_id, *ENDS)

    live = await read(watch.cluster, name)
    probe = live["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert incident["status"] == "resolved", incident
    assert probe["httpGet"]["port"] in {80, "http"}


async def test_a_fix_that_does_not_help_is_taken_back_and_not_called_resolved(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("starved")
    container = {"name": "app", "image": "nginx:1.25", "resources": {"limits": {"memory": "64Mi"}}}
    await cluster.apply(deployment(name, container, 1, needs_memory="8Gi"))
    await until_waiting(cluster, name, "CrashLoopBackOff")

    async with watching(cluster, tmp_path, ALERTMEND_VERIFY_BUDGET="6") as watch:
        incident_id = await watch.service.post_alert(body_for(name, "KubePodCrashLooping"))
        incident = await watch.service.decide_all(incident_id, "approve")
        report = await watch.service.report(incident_id)

    live = await read(cluster, name)
    assert incident["status"] == "unresolved", incident
    assert "Resolved: " not in report
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "64Mi"


async def test_an_object_that_changed_since_the_proposal_gets_a_fresh_one(watch: Watch) -> None:
    name = watch.cluster.unique("moving")
    await break_image(watch.cluster, name)
    incident_id = await watch.service.post_alert(body_for(name))
    stale = await watch.service.pending_approval(incident_id)

    await watch.cluster.apply(deployment(name, {"name": "nginx", "image": "nginx:1.26-"}))
    await until_waiting(watch.cluster, name, "ImagePullBackOff", "ErrImagePull")
    await watch.service.decide(stale, "approve")

    async def probe() -> Object | None:
        fresh = await watch.service.pending_approval(incident_id)
        return fresh if fresh["id"] != stale["id"] else None

    fresh = await await_condition(probe, "a fresh proposal")
    gone = (await watch.service.request("GET", f"/v1/approvals/{stale['id']}")).json()
    again = await watch.service.decide(stale, "approve")
    assert gone["status"] == "superseded"
    assert again.status_code == 409
    assert "nginx:1.26-" in str(fresh["diff"])
    live = await read(watch.cluster, name)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.26-"


async def test_without_a_write_credential_the_exact_change_is_handed_over(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("readonly")
    await break_image(cluster, name)

    async with watching(cluster, tmp_path, writes=False) as watch:
        incident_id = await watch.service.post_alert(body_for(name))
        incident = await watch.service.wait_for(incident_id, "handed_over")

    assert "ALERTMEND_WRITE_KUBECONFIG" in incident["reason"]
    assert f"kubectl patch deployment {name}" in incident["advice"][0]
