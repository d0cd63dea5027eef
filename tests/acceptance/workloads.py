"""Workloads that break as they do in life, and a service that watches them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.services import ServiceProcess
from tests.integration.cluster.clusters import ClusterUnderTest, Object, await_condition

WEBHOOK = Path(__file__).parents[1] / "data" / "alertmanager-webhook.json"


def real_body() -> dict[str, Any]:
    """Return the webhook body of the incident that mendgate was made for."""
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
        for prefix in ("sim.local", "sandbox.mendgate.io")
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
    """Return a Deployment as it stands."""
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


async def until_crash_looping(cluster: ClusterUnderTest, name: str) -> None:
    """Wait until all containers have crashed more than once and are down, whichever way that shows."""

    async def probe() -> bool | None:
        found = [
            status["restartCount"] > 0 and "running" not in status["state"]
            for pod in await pods(cluster, name)
            for status in pod["status"].get("containerStatuses") or []
        ]
        return (bool(found) and all(found)) or None

    await await_condition(probe, f"{name} to crash-loop", 60)


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


async def break_image(cluster: ClusterUnderTest, name: str) -> None:
    """Let the workload run nginx:1.25, then ask for the tag with the typo, as it really happened."""
    container = {"name": "nginx", "image": "nginx:1.25"}
    await cluster.apply(deployment(name, container))
    await until_available(cluster, name)
    await cluster.apply(deployment(name, {**container, "image": "nginx:1.25-"}))
    await until_waiting(cluster, name, "ImagePullBackOff", "ErrImagePull")
