"""What isn't an incident to mend: recorded, explained, and never a reason to touch the cluster."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tools.sandbox import SCENARIOS, SandboxCluster


@pytest.fixture
async def service(sandbox: SandboxCluster, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    service = ServiceProcess(tmp_path, *sandbox.write_kubeconfigs(tmp_path))
    await service.start()
    yield service
    await service.stop()


def body_with(labels: dict[str, str]) -> dict[str, Any]:
    body = real_body()
    body["alerts"] = [{**body["alerts"][0], "labels": labels, "fingerprint": "0123456789abcdef"}]
    return body


async def test_a_watchdog_is_recorded_and_needs_no_action(service: ServiceProcess) -> None:
    incident_id = await service.post_alert(body_with({"alertname": "Watchdog", "severity": "none"}))

    incident = await service.wait_for(incident_id, "no_action")

    assert "by design" in incident["reason"]


async def test_an_alert_without_a_namespace_is_handed_over(service: ServiceProcess) -> None:
    incident_id = await service.post_alert(body_with({"alertname": "NodeClockSkew", "instance": "10.0.0.7"}))

    incident = await service.wait_for(incident_id, "handed_over")

    assert "names no namespace" in incident["reason"]
    assert incident["advice"]


async def test_a_workload_that_is_gone_is_handed_over_or_needs_nothing(service: ServiceProcess) -> None:
    incident_id = await service.post_alert(real_body())

    incident = await service.wait_for(incident_id, "handed_over", "no_action")

    assert "nginx-deployment" in incident["reason"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"not json", "the body"),
        (b"[]", "the body"),
        (b'{"version": "3"}', "/version"),
        (
            b'{"version": "4", "status": "firing", "receiver": "x", "groupKey": "k", "alerts": [{}]}',
            "/alerts/0",
        ),
    ],
)
async def test_a_body_that_is_no_webhook_is_refused_with_the_field_and_nothing_is_stored(
    service: ServiceProcess, content: bytes, field: str
) -> None:
    answer = await service.request("POST", "/alert", "ingest", content=content)

    stored = (await service.request("GET", "/v1/incidents")).json()
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert field in answer.text
    assert stored["items"] == []


async def test_the_same_delivery_again_opens_nothing_new(service: ServiceProcess) -> None:
    first = await service.post_alert(real_body())
    again = await service.post_alert(real_body())

    assert first == again
    assert len((await service.request("GET", "/v1/incidents")).json()["items"]) == 1


async def test_an_unreachable_cluster_fails_the_incident_which_can_be_retried(tmp_path: Path) -> None:
    cluster = SandboxCluster()
    async with cluster:
        await cluster.break_as(SCENARIOS["image-pull"])
    service = ServiceProcess(tmp_path, *cluster.write_kubeconfigs(tmp_path))
    await service.start()
    incident_id = await service.post_alert(real_body())
    failed = await service.wait_for(incident_id, "failed")
    refused = await service.request("POST", f"/v1/incidents/{incident_id}/retry", "viewer")
    await service.post_alert(real_body())  # Alertmanager repeats itself; that is nobody's retry
    again = (await service.request("GET", f"/v1/incidents/{incident_id}")).json()

    async with cluster:
        retried = await service.request("POST", f"/v1/incidents/{incident_id}/retry", "approver")
        await service.decide(await service.pending_approval(incident_id), "approve")
        await service.wait_for(incident_id, "resolved")
    await service.stop()

    assert "no usable answer" in failed["reason"]
    assert refused.status_code == 403
    assert again["status"] == "failed"
    assert retried.status_code == 202
    assert len(cluster.writes) == 1
