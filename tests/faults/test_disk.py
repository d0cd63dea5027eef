"""No room on the disk: what isn't stored isn't acknowledged, and all goes on once there is room again."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from starlette.middleware import Middleware

from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.savers.opening import open_saver
from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import body_for, real_body
from tests.faults.faulty_service import Sky, is_patch, is_read
from tools.sandbox import SandboxCluster
from tools.sandbox.scenarios import IMAGE_PULL

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="only Linux limits another process's files"
)


def limit_files(service: ServiceProcess, size: int) -> None:
    """Let the service write no file beyond so many bytes."""
    assert service.process
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@asynccontextmanager
async def serving(folder: Path, sky: Sky) -> AsyncIterator[tuple[ServiceProcess, SandboxCluster]]:
    middleware = [Middleware(sky.over)]
    async with SandboxCluster(middleware=middleware) as sandbox:
        await sandbox.break_as(IMAGE_PULL)
        service = ServiceProcess(folder, *sandbox.write_kubeconfigs(folder))
        await service.start()
        yield service, sandbox
        assert await service.stop() == 0


def another_body() -> dict[str, Any]:
    """Return other alerts, of another workload."""
    body = body_for("another-deployment")
    for number, alert in enumerate(body["alerts"]):
        alert["fingerprint"] = f"{number:016x}"
    return body


async def test_a_full_disk_answers_503_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with serving(tmp_path, Sky()) as (service, sandbox):
        incident_id = await service.post_alert(real_body())
        approval = await service.pending_approval(incident_id)

        limit_files(service, 0)
        refused = await service.request("POST", "/v1/webhooks/alertmanager", "ingest", json=another_body())
        undecided = await service.decide(approval, "approve")
        limit_files(service, resource.RLIM_INFINITY)
        other_id = await service.post_alert(another_body())
        decided = await service.decide(approval, "approve")
        incident = await service.wait_for(incident_id, "resolved")
        audit = (await service.request("GET", "/v1/audit/verify")).json()

    assert (refused.status_code, undecided.status_code, decided.status_code) == (503, 503, 201)
    assert "nothing was stored; try again" in refused.json()["detail"]
    assert other_id != incident_id
    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1
    assert audit["intact"], audit


async def test_a_disk_that_fills_up_with_the_patch_in_flight_costs_no_second_write(tmp_path: Path) -> None:
    sky = Sky()
    async with serving(tmp_path, sky) as (service, sandbox):
        proof_read = asyncio.Event()

        async def fill(*_exchange: Any) -> bool:
            limit_files(service, 0)
            sky.cloud(is_read, notice, 1)
            return False

        async def notice(*_exchange: Any) -> bool:
            proof_read.set()
            return False

        sky.cloud(is_patch, fill, 1)
        incident_id = await service.post_alert(real_body())
        await service.decide(await service.pending_approval(incident_id), "approve")
        await asyncio.wait_for(proof_read.wait(), 60)
        refused = await service.request("POST", "/alert", "ingest", json=another_body())
        limit_files(service, resource.RLIM_INFINITY)
        incident = await service.wait_for(incident_id, "resolved")

    assert refused.status_code == 503
    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1


async def test_a_checkpoint_for_which_there_is_no_room_is_told_as_an_unavailable_database(
    tmp_path: Path,
) -> None:
    thread: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    bulky = empty_checkpoint()
    bulky["channel_values"] = {"text": "x" * 1_000_000}
    async with open_saver(f"sqlite+aiosqlite:///{tmp_path}/ledger.db") as saver:
        await saver.conn.execute("PRAGMA max_page_count = 50")  # type: ignore[attr-defined]  # SQLite's has one

        with pytest.raises(DatabaseUnavailable, match="full"):
            await saver.aput(thread, bulky, {}, {})
        await saver.aput(thread, empty_checkpoint(), {}, {})

        assert await saver.aget_tuple(thread) is not None
