"""From webhooks with the usual alerts about one fault to one approval, on the sandbox and a real cluster."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.services import ENDS
from tests.acceptance.workloads import Watch, break_image, pods, read, real_body, watching
from tests.integration.cluster.clusters import ClusterUnderTest


@pytest.fixture
async def watch(cluster: ClusterUnderTest, tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(cluster, tmp_path) as watch:
        yield watch


def fires(number: int, alertname: str, **labels: str) -> dict[str, Any]:
    """Return an alert of a workload in `default`."""
    alert: dict[str, Any] = real_body()["alerts"][0]
    named = {"alertname": alertname, "namespace": "default", "severity": "warning", **labels}
    return alert | {"labels": named, "fingerprint": f"{number:016x}"}


def service(name: str) -> dict[str, Any]:
    """Return a Service of a workload's pods."""
    metadata = {"name": f"{name}-svc", "namespace": "default", "labels": {"app": name}}
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def ingress(name: str) -> dict[str, Any]:
    """Return an Ingress to that Service."""
    backend = {"service": {"name": f"{name}-svc", "port": {"name": "http"}}}
    http = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": f"{name}-entry", "namespace": "default", "labels": {"app": name}},
        "spec": {"rules": [{"host": f"{name}.example", "http": http}]},
    }


async def deliver(watch: Watch, *alerts: dict[str, Any]) -> list[str]:
    body = real_body() | {"alerts": list(alerts)}
    answer = await watch.service.request("POST", "/v1/webhooks/alertmanager", "ingest", json=body)
    assert answer.status_code == 202, answer.text
    ids: list[str] = answer.json()["incident_ids"]
    return ids


async def asked_for(watch: Watch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await watch.service.request("GET", "/v1/approvals")).json()["items"]
    return found


async def test_the_usual_alerts_about_one_fault_end_in_one_approval(watch: Watch) -> None:
    name = watch.cluster.unique("stormy")
    await watch.cluster.apply(service(name))
    await watch.cluster.apply(ingress(name))
    await break_image(watch.cluster, name)
    pod = (await pods(watch.cluster, name))[0]["metadata"]

    ids = await deliver(
        watch,
        fires(1, "TargetDown", job=f"{name}-svc", service=f"{name}-svc"),
        fires(2, "NGINXTooMany500s", ingress=f"{name}-entry"),
        fires(3, "KubeReplicaSetReplicasMismatch", replicaset=pod["ownerReferences"][0]["name"]),
        fires(4, "KubeContainerWaiting", pod=pod["name"], container="nginx", reason="ImagePullBackOff"),
        fires(5, "KubeDeploymentRolloutStuck", deployment=name),
    )
    incidents = [await watch.service.wait_for(one, "awaiting_approval", "no_action") for one in ids]
    ids += await deliver(
        watch,
        fires(6, "ProbeFailed", namespace="", job="blackbox-exporter", instance=f"http://{name}.example/"),
        fires(7, "HighErrorRate", service=f"{name}-svc"),
    )
    incidents = [
        await watch.service.wait_for(one, "awaiting_approval", "no_action") for one in dict.fromkeys(ids)
    ]

    (asking,) = [one for one in incidents if one["status"] == "awaiting_approval"]
    (approval,) = await asked_for(watch)
    assert approval["incident_id"] == asking["id"]
    assert asking["target"] == {"kind": "Deployment", "namespace": "default", "name": name}
    for one in incidents:
        assert one is asking or asking["id"] in await watch.service.report(one["id"])
    await watch.service.decide(approval, "approve")
    ended = await watch.service.wait_for(asking["id"], *ENDS)
    assert ended["status"] == "resolved", ended
    report = await watch.service.report(asking["id"])
    for rule in ("TargetDown", "NGINXTooMany500s", "KubeContainerWaiting", "ProbeFailed", "HighErrorRate"):
        assert rule in report
    live = await read(watch.cluster, name)
    assert live["metadata"]["annotations"]["mendgate.io/approval"] == approval["id"]
    (late,) = await deliver(watch, fires(8, "ServiceHasErrors", service=f"{name}-svc"))
    ended = await watch.service.wait_for(late, *ENDS)
    assert ended["status"] == "no_action", ended
    assert asking["id"] in await watch.service.report(late)
