"""Whole incidents through the running service, on the sandbox and on a real API server alike."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.services import ENDS
from tests.acceptance.workloads import (
    Watch,
    body_for,
    break_image,
    deployment,
    read,
    real_body,
    until_crash_looping,
    until_unready,
    until_waiting,
    watching,
)
from tests.integration.cluster.clusters import ClusterUnderTest, Object, await_condition

_HASTY = "name: hasty\nverification: {window: 2s, budget: 6s}\n"


@pytest.fixture
async def watch(cluster: ClusterUnderTest, tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(cluster, tmp_path) as watch:
        yield watch


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
    assert live["metadata"]["annotations"]["mendgate.io/approval"] == approval["id"]
    assert "mendgate.io/approval" not in str(live["spec"]["template"]["metadata"])
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
    assert "mendgate.io/approval" not in str(live["metadata"])
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
    await until_crash_looping(watch.cluster, name)

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
    await until_crash_looping(cluster, name)

    async with watching(cluster, tmp_path, policy=_HASTY) as watch:
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

    assert "MENDGATE_WRITE_KUBECONFIG" in incident["reason"]
    assert f"(it is nginx:1.25-) on Deployment/{name} in default" in incident["advice"][0]
    assert f"kubectl patch deployment {name}" in incident["advice"][-1]
