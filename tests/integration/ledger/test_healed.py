"""A workload that heals by itself, seen by whole runs on the sandbox: nothing is written to it."""

from typing import Any

import pytest

from api.workers.maintenance import MaintenanceLoop
from graph.domain.alerts.payload import AlertGroup
from graph.domain.proposal import Approval
from tests.integration.cluster.clusters import await_condition
from tests.integration.ledger.test_lost_checkpoints import Scene, scene  # noqa: F401 -- a fixture
from tests.unit.graph.domain.test_alerts_and_targets import real_body


async def resolve(scene: Scene) -> None:  # noqa: F811 -- the fixture's value
    body = real_body()
    ended = {"status": "resolved", "endsAt": "2026-11-20T08:00:00Z"}
    body["alerts"] = [one | ended for one in body["alerts"]]
    await scene.ledger.intake.accept(AlertGroup.model_validate(body), b"{}")


async def heal(scene: Scene) -> None:  # noqa: F811 -- the fixture's value
    """Let somebody else set the image right, and wait until all is well."""
    live: dict[str, Any] = scene.sandbox.find("deployment", "nginx-deployment") or {}
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.25"
    manifest = {name: live[name] for name in ("apiVersion", "kind", "spec")}
    kept = {name: live["metadata"].get(name) for name in ("name", "namespace", "labels")}
    scene.sandbox.apply({**manifest, "metadata": kept})

    async def probe() -> bool | None:
        status = (scene.sandbox.find("deployment", "nginx-deployment") or {}).get("status", {})
        pods = scene.sandbox.select("Pod", "default")
        return (status.get("availableReplicas") == len(pods) == 3) or None

    await await_condition(probe, "the workload to be healthy", 60)


async def waiting(scene: Scene) -> Approval:  # noqa: F811 -- the fixture's value
    incident_id = await scene.begin()
    await scene.reach(incident_id, "awaiting_approval")
    return await scene.approval(incident_id)


def upkeep(scene: Scene) -> MaintenanceLoop:  # noqa: F811 -- the fixture's value
    return MaintenanceLoop(scene.ledger, scene.nodes.investigation.cluster_reader, scene.runner.wake)


async def test_a_proposal_that_nobody_needs_any_more_ends_its_incident_as_withdrawn(
    scene: Scene,  # noqa: F811 -- the fixture's value
) -> None:
    approval = await waiting(scene)
    await resolve(scene)
    await upkeep(scene).go_round()
    assert (
        await scene.ledger.approvals.find(approval.id)
    ).status == "pending"  # its pods were replaced, not mended

    await heal(scene)
    await upkeep(scene).go_round()

    await scene.reach(approval.proposal.incident_id, "withdrawn")
    report = await scene.ledger.incidents.report(approval.proposal.incident_id)
    assert "every alert has resolved" in str(report)
    assert scene.sandbox.writes == []


async def test_what_was_approved_is_not_written_to_a_workload_that_has_healed_meanwhile(
    scene: Scene,  # noqa: F811 -- the fixture's value
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    approval = await waiting(scene)
    await heal(scene)

    await scene.approve(approval)

    await scene.reach(approval.proposal.incident_id, "withdrawn")
    stands = await scene.ledger.approvals.find(approval.id)
    assert (stands.status, "by itself" in stands.outcome) == ("withdrawn", True)
    assert scene.sandbox.writes == []


async def test_an_investigation_whose_alerts_have_resolved_ends_as_withdrawn(
    scene: Scene,  # noqa: F811 -- the fixture's value
) -> None:
    await heal(scene)
    receipt = await scene.ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    await resolve(scene)
    (incident_id,) = receipt.incident_ids

    scene.runner.wake(incident_id)

    await scene.reach(incident_id, "withdrawn")
    assert await scene.ledger.incidents.evidence(incident_id) == []


async def test_an_investigation_of_what_is_still_broken_goes_on_though_its_alerts_have_resolved(
    scene: Scene,  # noqa: F811 -- the fixture's value
) -> None:
    receipt = await scene.ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    await resolve(scene)
    (incident_id,) = receipt.incident_ids

    scene.runner.wake(incident_id)

    await scene.reach(incident_id, "awaiting_approval")
