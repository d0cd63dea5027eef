"""What a person can do beside yes and no: edit a proposal, and settle an execution whose end is unknown."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tests.integration.cluster.executions import Tamper, Trick
from tools.kubernetes.client import Cluster
from tools.sandbox import SCENARIOS, SandboxCluster

NAME = "nginx-deployment"


@pytest.fixture
async def broken(before: list[Trick], after: list[Trick]) -> AsyncIterator[SandboxCluster]:
    async with SandboxCluster(middleware=[Middleware(Tamper, before=before, after=after)]) as cluster:
        await cluster.break_as(SCENARIOS["image-pull"])
        yield cluster


@pytest.fixture
async def service(broken: SandboxCluster, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    service = ServiceProcess(tmp_path, *broken.write_kubeconfigs(tmp_path))
    await service.start()
    yield service
    await service.stop()


def image_patch(image: str) -> dict[str, Any]:
    containers = [{"name": "nginx", "image": image}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


async def edit(service: ServiceProcess, approval: dict[str, Any], **changes: Any) -> httpx.Response:
    body = {
        "arguments": approval["arguments"] | changes,
        "digest": approval["digest"],
        "reason": "we are on 1.26 by now",
    }
    return await service.request("POST", f"/v1/approvals/{approval['id']}/edit", "approver", json=body)


async def find(service: ServiceProcess, approval_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await service.request("GET", f"/v1/approvals/{approval_id}")).json()
    return found


async def live_image(broken: SandboxCluster) -> str:
    (deployment,) = [one for one in broken.select("Deployment") if one["metadata"]["name"] == NAME]
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def test_an_edited_proposal_needs_its_own_approval_and_is_what_runs(
    service: ServiceProcess, broken: SandboxCluster
) -> None:
    incident_id = await service.post_alert(real_body())
    first = await service.pending_approval(incident_id)

    edited = await edit(service, first, patchData=image_patch("nginx:1.26"))
    second = edited.json()
    writes_before_the_yes = list(broken.writes)
    too_late = await service.decide(first, "approve")
    decided = await service.decide(second, "approve")
    incident = await service.wait_for(incident_id, "resolved")

    assert edited.status_code == 201, edited.text
    assert (second["status"], second["requested_by"], second["grounding"]) == (
        "pending", "test-approver", "guess",
    )  # fmt: skip
    assert second["digest"] != first["digest"]
    assert writes_before_the_yes == []
    assert too_late.status_code == 409
    assert second["id"] in too_late.json()["detail"]
    assert decided.status_code == 201
    assert (await find(service, first["id"]))["superseded_by"] == second["id"]
    assert incident["approval_ids"] == [first["id"], second["id"]]
    assert await live_image(broken) == "nginx:1.26"
    assert len(broken.writes) == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "another"}, "not its target"),
        ({"namespace": "kube-system"}, "not its target"),
        ({"resourceType": "secret"}, "not its target"),
        ({"resourceType": "foo"}, "unknown resource type"),
        ({"patchFile": "/etc/passwd"}, "patchFile"),
        ({"context": "production"}, "context"),
        ({"patchData": image_patch("nginx:latest")}, "floating tag"),
        ({"patchData": {"spec": {"replicas": 0}}}, "hide the symptom"),
        ({"patchData": {"spec": {"template": {"spec": {"hostNetwork": True}}}}}, "may be changed"),
        ({"patchData": image_patch("nginx:1.25-")}, "change nothing"),
        ({}, "nothing was edited"),
    ],
)
async def test_an_edit_that_may_not_be_proposed_leaves_the_proposal_as_it_is(
    service: ServiceProcess, changes: dict[str, Any], word: str
) -> None:
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)

    answer = await edit(service, approval, **changes)

    assert answer.status_code == 422, answer.text
    assert word in answer.json()["detail"]
    assert (await find(service, approval["id"]))["status"] == "pending"


async def test_an_edit_of_something_else_than_what_was_seen_is_refused(service: ServiceProcess) -> None:
    approval = await service.pending_approval(await service.post_alert(real_body()))

    stale = await edit(service, approval | {"digest": "0" * 64}, patchData=image_patch("nginx:1.26"))
    await service.decide(approval, "reject")
    over = await edit(service, approval, patchData=image_patch("nginx:1.26"))

    assert stale.status_code == 412
    assert over.status_code == 409


async def lie() -> JSONResponse:
    """Say that the patch was taken, and don't take it: nobody can tell any more what happened."""
    return JSONResponse({"kind": "Deployment", "metadata": {"resourceVersion": "1"}})


async def leave_unknown(service: ServiceProcess, before: list[Trick]) -> dict[str, Any]:
    """Bring an incident to an execution whose end is unknown, and return its approval."""
    before.append(lie)
    incident_id = await service.post_alert(real_body())
    approval = await service.pending_approval(incident_id)
    await service.decide(approval, "approve")
    await service.wait_for(incident_id, "handed_over")
    return await find(service, approval["id"])


async def resolve(service: ServiceProcess, approval: dict[str, Any], outcome: str) -> httpx.Response:
    body = {"outcome": outcome, "reason": "I looked at the object"}
    return await service.request("POST", f"/v1/approvals/{approval['id']}/resolution", "approver", json=body)


async def test_what_a_person_found_applied_is_verified_and_not_applied_again(
    service: ServiceProcess, broken: SandboxCluster, before: list[Trick], tmp_path: Path
) -> None:
    approval = await leave_unknown(service, before)
    _, writer = broken.write_kubeconfigs(tmp_path)
    async with Cluster.from_kubeconfig(
        writer
    ) as cluster:  # the patch lands late, as it can in a real network
        patch = approval["arguments"]["patchData"]
        await cluster.patch("deployment", NAME, "default", "strategic", patch, dry_run=False)

    settled = await resolve(service, approval, "applied")
    again = await resolve(service, approval, "applied")
    otherwise = await resolve(service, approval, "not_applied")
    incident = await service.wait_for(approval["incident_id"], "resolved")

    assert (approval["status"], settled.status_code, again.status_code) == ("unknown", 201, 200)
    assert otherwise.status_code == 409
    assert incident["verdict"] == "verified"
    assert len(broken.writes) == 1
    assert "I looked at the object" in await service.report(approval["incident_id"])


async def test_what_a_person_found_not_applied_can_be_tried_again(
    service: ServiceProcess, broken: SandboxCluster, before: list[Trick]
) -> None:
    approval = await leave_unknown(service, before)
    incident_id = approval["incident_id"]

    await resolve(service, approval, "not_applied")
    await service.wait_for(incident_id, "failed")
    await service.request("POST", f"/v1/incidents/{incident_id}/retry", "approver")
    fresh = await service.pending_approval(incident_id)
    await service.decide(fresh, "approve")
    await service.wait_for(incident_id, "resolved")

    assert fresh["id"] != approval["id"]
    assert len(broken.writes) == 1


async def test_an_approval_whose_end_is_known_cannot_be_settled(service: ServiceProcess) -> None:
    approval = await service.pending_approval(await service.post_alert(real_body()))

    answer = await resolve(service, approval, "applied")

    assert answer.status_code == 409
    assert "nothing about it is unknown" in answer.json()["detail"]
