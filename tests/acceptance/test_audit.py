"""The audit of the installed service: the whole story of a change, and no start without the key."""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.services import ENDS, ServiceProcess
from tests.acceptance.workloads import real_body
from tools.sandbox import SCENARIOS, SandboxCluster

STORY = ["proposed", "approved", "claimed", "intent", "outcome", "verdict"]


async def read(service: ServiceProcess, **params: str) -> list[dict[str, Any]]:
    """Return the audit's rows, oldest first."""
    answer = await service.request("GET", "/v1/audit", "approver", params=params)
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json()["items"]))


async def verify(service: ServiceProcess) -> dict[str, Any]:
    found: dict[str, Any] = (await service.request("GET", "/v1/audit/verify", "approver")).json()
    return found


def hide(key: Path) -> bytes:
    content = key.read_bytes()
    key.unlink()
    return content


def put_back(key: Path, content: bytes) -> None:
    key.write_bytes(content)
    key.chmod(0o600)


async def test_the_whole_story_of_a_change_outlives_a_kill_and_a_lost_key(
    sandbox: SandboxCluster, tmp_path: Path
) -> None:
    await sandbox.break_as(SCENARIOS["image-pull"])
    service = ServiceProcess(tmp_path, *sandbox.write_kubeconfigs(tmp_path))
    await service.start()
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)
    await service.kill()
    await service.start()
    await service.decide(approval, "approve", "the tag has a typo")
    await service.wait_for(incident_id, *ENDS)
    rows = await read(service, incident=incident_id)
    found = await verify(service)
    await service.stop()

    content = hide(tmp_path / "mendgate-audit.key")
    with pytest.raises(AssertionError):  # it never says that it listens
        await service.start()
    await service.ended()
    put_back(tmp_path / "mendgate-audit.key", content)
    await service.start()
    again = await verify(service)
    await service.stop()

    approved, verdict = rows[1], rows[-1]
    assert [row["action"] for row in rows] == STORY
    assert (approved["actor"], approved["document"]["reason"]) == ("test-approver", "the tag has a typo")
    assert approved["document"]["diff"] == approval["diff"]
    assert approved["document"]["policy_version"] == approval["policy_version"]
    assert verdict["document"]["verdict"] == "verified"
    assert (found["intact"], found["rows"], found["head"]) == (True, 7, found["remembered"])
    assert again == found
    assert "mendgate: the audit's key mendgate-audit.key is gone: put it back" in service.log()
    assert "the audit's newest row is 7, sealed " + found["head"]["mac"] in service.log()
