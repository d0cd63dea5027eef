"""A service that is killed goes on where it stood, and never writes twice."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from tests.acceptance.services import ServiceProcess
from tests.integration.cluster.executions import Tamper, Trick
from tools.sandbox.cluster import SandboxCluster
from tools.sandbox.scenarios import IMAGE_PULL

WEBHOOK = Path(__file__).parents[1] / "data" / "alertmanager-webhook.json"


@pytest.fixture
async def sandbox(before: list[Trick], after: list[Trick]) -> AsyncIterator[SandboxCluster]:
    async with SandboxCluster(middleware=[Middleware(Tamper, before=before, after=after)]) as cluster:
        await cluster.break_as(IMAGE_PULL)
        yield cluster


@pytest.fixture
def window() -> str:
    """Return how many seconds a fix must hold."""
    return "2"


@pytest.fixture
async def service(
    sandbox: SandboxCluster, tmp_path: Path, database_url: str, window: str
) -> AsyncIterator[ServiceProcess]:
    kubeconfigs = sandbox.write_kubeconfigs(tmp_path)
    policy = f"name: quick\nverification: {{window: {window}s, budget: 60s}}\n"
    service = ServiceProcess(tmp_path, *kubeconfigs, policy, MENDGATE_DATABASE_URL=database_url)
    await service.start()
    yield service
    if service.process:
        await service.kill()


def real_body() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(WEBHOOK.read_text())
    return body


async def test_a_service_killed_while_paused_goes_on_after_the_approval(
    service: ServiceProcess, sandbox: SandboxCluster
) -> None:
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)

    await service.kill()
    await service.start()
    decided = await service.decide(approval, "approve")
    await service.wait_for(incident_id, "resolved")

    assert decided.status_code == 201
    assert len(sandbox.writes) == 1
    assert "Resolved: " in await service.report(incident_id)


async def test_a_service_killed_right_after_the_decision_carries_it_out_when_it_is_back(
    service: ServiceProcess, sandbox: SandboxCluster
) -> None:
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)

    await service.decide(approval, "approve")
    await service.kill()
    await service.start()
    await service.wait_for(incident_id, "resolved")

    assert len(sandbox.writes) == 1


async def test_a_service_killed_between_patch_and_record_does_not_patch_again(
    service: ServiceProcess, sandbox: SandboxCluster, after: list[Trick]
) -> None:
    killed = asyncio.Event()

    async def kill_unanswered() -> JSONResponse | None:
        await service.kill()
        killed.set()
        return None

    after.append(kill_unanswered)
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)

    await service.decide(approval, "approve")
    await asyncio.wait_for(killed.wait(), 60)
    assert len(sandbox.writes) == 1
    await service.start()
    await service.wait_for(incident_id, "resolved")

    assert len(sandbox.writes) == 1
    stands = (await service.request("GET", f"/v1/approvals/{approval['id']}")).json()
    assert stands["status"] == "applied"


async def test_a_service_killed_before_its_patch_was_taken_patches_once(
    service: ServiceProcess, sandbox: SandboxCluster, before: list[Trick]
) -> None:
    killed = asyncio.Event()

    async def kill_untaken() -> JSONResponse | None:
        await service.kill()
        killed.set()
        return JSONResponse({"kind": "Status", "code": 503}, status_code=503)

    before.append(kill_untaken)
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)

    await service.decide(approval, "approve")
    await asyncio.wait_for(killed.wait(), 60)
    assert sandbox.writes == []
    await service.start()
    await service.wait_for(incident_id, "resolved")

    assert len(sandbox.writes) == 1


async def test_a_service_killed_while_it_verifies_verifies_again(
    service: ServiceProcess, sandbox: SandboxCluster
) -> None:
    incident_id = await service.post_alert(real_body())
    await service.decide(await service.pending_approval(incident_id), "approve")
    await service.wait_for(incident_id, "verifying")

    await service.kill()
    await service.start()
    incident = await service.wait_for(incident_id, "resolved")

    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1


@pytest.mark.parametrize("window", ["8"])
async def test_a_service_stopped_while_it_verifies_puts_that_down_and_verifies_at_the_next_start(
    service: ServiceProcess, sandbox: SandboxCluster
) -> None:
    incident_id = await service.post_alert(real_body())
    await service.decide(await service.pending_approval(incident_id), "approve")
    await service.wait_for(incident_id, "verifying")

    code = await service.stop()
    await service.start()
    incident = await service.wait_for(incident_id, "resolved")

    assert code == 0
    assert "Traceback" not in service.log()
    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1


async def test_a_service_that_is_stopping_says_so_and_still_takes_alerts(
    service: ServiceProcess, after: list[Trick]
) -> None:
    held, goes_on = asyncio.Event(), asyncio.Event()

    async def hold() -> JSONResponse | None:
        held.set()
        await goes_on.wait()
        return JSONResponse({"kind": "Status", "code": 503}, status_code=503)

    after.append(hold)
    incident_id = await service.post_alert(real_body())
    await service.decide(await service.pending_approval(incident_id), "approve")
    await asyncio.wait_for(held.wait(), 60)

    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    health = [await service.request("GET", "/readyz")]
    while health[-1].status_code == 200:
        health.append(await service.request("GET", "/readyz"))
    alive, late = await asyncio.gather(  # at once: it stops within seconds
        service.request("GET", "/healthz"),
        service.request("POST", "/alert", "ingest", json=real_body()),
    )
    goes_on.set()
    await service.ended()

    assert (health[-1].status_code, alive.status_code) == (503, 200)
    assert health[-1].json()["type"] == "urn:mendgate:problem:stopping"
    assert (late.status_code, late.json()["incident_ids"]) == (202, [incident_id])


async def test_a_stopped_service_ends_cleanly_with_a_run_paused(service: ServiceProcess) -> None:
    incident_id = await service.post_alert(real_body())
    await service.pending_approval(incident_id)

    assert await service.stop() == 0
