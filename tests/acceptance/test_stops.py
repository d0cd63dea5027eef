"""Time and stops: what expires is over, what is stopped waits, and neither reads as a rejection."""

from pathlib import Path

import pytest

from checkpoints.ledger import open_ledger
from tests.acceptance.services import QUICK, ServiceProcess
from tests.acceptance.workloads import real_body
from tools.sandbox import SCENARIOS, SandboxCluster


@pytest.fixture
async def broken(sandbox: SandboxCluster) -> SandboxCluster:
    await sandbox.break_as(SCENARIOS["image-pull"])
    return sandbox


async def test_a_proposal_that_nobody_decides_expires_and_changes_nothing(
    broken: SandboxCluster, tmp_path: Path
) -> None:
    policy = f"{QUICK}terms: [{{name: usual, decide_within: 2s}}]\n"
    service = ServiceProcess(tmp_path, *broken.write_kubeconfigs(tmp_path), policy=policy)
    await service.start()
    incident_id = await service.post_alert(real_body())

    incident = await service.wait_for(incident_id, "expired")
    approval = await service.newest_approval(incident)
    late = await service.decide(approval, "approve")
    report = await service.report(incident_id)
    await service.stop()

    assert "nobody decided" in incident["reason"]
    assert late.status_code == 410
    assert broken.writes == []
    assert "rejected" not in report


async def test_an_approval_waits_for_the_end_of_a_stop_and_is_then_carried_out(
    broken: SandboxCluster, tmp_path: Path
) -> None:
    service = ServiceProcess(tmp_path, *broken.write_kubeconfigs(tmp_path))
    await service.start()
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)
    await service.stop()
    url, key = f"sqlite+aiosqlite:///{tmp_path}/mendgate.db", tmp_path / "mendgate-audit.key"
    async with open_ledger(url, key) as ledger:
        await ledger.decisions.decide(
            approval["id"], by="alice", verdict="approve", digest=approval["digest"], reason=""
        )
        await ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    await service.start()
    other = await service.post_alert(_another_body())
    await service.wait_for(other, "handed_over", "no_action")  # the service works, and still holds back
    held = (await service.request("GET", f"/v1/incidents/{incident_id}")).json()
    written_while_stopped = len(broken.writes)
    await service.request("PUT", "/v1/controls/kill-switch", json={"engaged": False, "reason": "drill over"})
    await service.wait_for(incident_id, "resolved")
    await service.stop()

    assert held["status"] == "awaiting_approval"
    assert written_while_stopped == 0
    assert len(broken.writes) == 1


def _another_body() -> dict[str, object]:
    body = real_body()
    labels = {"alertname": "KubeNodeNotReady", "node": "node-7"}
    body["alerts"] = [{**body["alerts"][0], "labels": labels, "fingerprint": "0123456789abcdef"}]
    return body
