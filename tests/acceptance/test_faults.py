"""Faults of many families, mended by the running service: on the sandbox and on a real API server alike."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.services import ENDS
from tests.acceptance.workloads import (
    Watch,
    body_for,
    deployment,
    pods,
    read,
    until_available,
    until_crash_looping,
    until_waiting,
    watching,
)
from tests.integration.cluster.clusters import ClusterUnderTest, Object, await_condition
from tests.integration.cluster.workloads import service


@pytest.fixture
async def watch(cluster: ClusterUnderTest, tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(cluster, tmp_path, MENDGATE_VERIFY_BUDGET="20") as watch:
        yield watch


def nginx(**fields: Any) -> Object:
    return {"name": "app", "image": "nginx:1.25", "ports": [{"name": "http", "containerPort": 80}], **fields}


async def mend(watch: Watch, name: str, alertname: str = "KubePodNotReady") -> tuple[Object, Object]:
    """Have the incident's first proposal approved, and return it with the incident's end."""
    incident_id = await watch.service.post_alert(body_for(name, alertname))
    approval = await watch.service.pending_approval(incident_id)
    await watch.service.decide(approval, "approve")
    incident = await watch.service.wait_for(incident_id, *ENDS)
    assert (incident["status"], incident["verdict"]) == ("resolved", "verified"), incident
    return approval, incident


async def until_pending(cluster: ClusterUnderTest, name: str) -> None:
    async def probe() -> bool | None:
        conditions = [
            one for pod in await pods(cluster, name) for one in pod["status"].get("conditions") or []
        ]
        return any(one.get("reason") == "Unschedulable" for one in conditions) or None

    await await_condition(probe, f"{name} to be pending", 60)


async def test_a_misspelt_configmap_is_named_rightly(watch: Watch) -> None:
    name = watch.cluster.unique("settings")
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-config", "namespace": "default"},
        "data": {"MODE": "fast"},
    }
    await watch.cluster.apply(config)
    broken = nginx(envFrom=[{"configMapRef": {"name": f"{name}-confgi"}}])
    await watch.cluster.apply(deployment(name, broken, 1))
    await until_waiting(watch.cluster, name, "CreateContainerConfigError")

    approval, incident = await mend(watch, name)

    live = await read(watch.cluster, name)
    (container,) = live["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": f"{name}-config"}}]
    assert (approval["grounding"], approval["risk"]) == ("evidence", "medium"), approval["traces"]
    assert incident["diagnosis"]["runbook"] == "missing_configuration"


async def test_a_command_that_crashes_is_put_back(watch: Watch) -> None:
    name = watch.cluster.unique("command")
    await watch.cluster.apply(deployment(name, nginx(), 1))
    await until_available(watch.cluster, name)
    await watch.cluster.apply(deployment(name, nginx(command=["sh", "-c", "exit 1"]), 1))
    await until_crash_looping(watch.cluster, name)

    approval, _ = await mend(watch, name, "KubePodCrashLooping")

    live = await read(watch.cluster, name)
    assert "command" not in live["spec"]["template"]["spec"]["containers"][0]
    assert approval["grounding"] == "last_good_revision"


async def test_a_node_selector_with_a_slip_is_mended(watch: Watch) -> None:
    name = watch.cluster.unique("placed")
    broken = deployment(name, nginx(), 1)
    broken["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/os": "linxu"}
    await watch.cluster.apply(broken)
    await until_pending(watch.cluster, name)

    await mend(watch, name)

    live = await read(watch.cluster, name)
    assert live["spec"]["template"]["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}


async def test_a_service_that_selects_nothing_is_led_to_its_pods(watch: Watch) -> None:
    name = watch.cluster.unique("fronted")
    await watch.cluster.apply(deployment(name, nginx(), 1))
    lost = service(name)
    lost["spec"]["selector"] = {"app": f"{name}-old"}
    await watch.cluster.apply(lost)
    await until_available(watch.cluster, name)

    approval, _ = await mend(watch, name, "ServiceWithoutEndpoints")

    answer = await watch.cluster.reader.get(f"/api/v1/namespaces/default/services/{name}")
    assert answer.json()["spec"]["selector"] == {"app": name}
    assert approval["target"]["kind"] == "Service"
    assert approval["verification_plan"]["predicates"] == ["in_place", "endpoints_present"]


async def test_two_faults_are_mended_one_proposal_after_the_other(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("twofold")
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    await cluster.apply(deployment(name, nginx(readinessProbe=probe), 1))
    await until_available(cluster, name)
    wrong = {**probe, "httpGet": {"path": "/", "port": 8081}}
    await cluster.apply(deployment(name, nginx(image="nginx:1.25-", readinessProbe=wrong), 1))
    await until_waiting(cluster, name, "ImagePullBackOff", "ErrImagePull")

    async with watching(cluster, tmp_path, MENDGATE_VERIFY_BUDGET="20") as watch:
        incident_id = await watch.service.post_alert(body_for(name))
        incident = await watch.service.decide_all(incident_id, "approve")

    (container,) = (await read(cluster, name))["spec"]["template"]["spec"]["containers"]
    assert (incident["status"], incident["verdict"]) == ("resolved", "verified"), incident
    assert len(incident["approval_ids"]) == 2
    assert container["image"] == "nginx:1.25"
    assert container["readinessProbe"]["httpGet"]["port"] == 80


async def test_what_comes_to_light_behind_a_mended_fault_is_handed_over_and_the_fix_stays(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("behind")
    await cluster.apply(deployment(name, nginx(), 1))
    await until_available(cluster, name)
    secret = [{"secretRef": {"name": f"{name}-secret"}}]
    await cluster.apply(deployment(name, nginx(image="nginx:1.25-", envFrom=secret), 1))
    await until_waiting(cluster, name, "ImagePullBackOff", "ErrImagePull")

    async with watching(cluster, tmp_path, MENDGATE_VERIFY_BUDGET="8") as watch:
        incident_id = await watch.service.post_alert(body_for(name))
        incident = await watch.service.decide_all(incident_id, "approve")

    live = await read(cluster, name)
    assert incident["status"] == "unresolved", incident
    assert any("kubectl create secret generic" in advice for advice in incident["advice"])
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"


async def test_a_secret_that_is_missing_is_a_persons_affair(watch: Watch) -> None:
    name = watch.cluster.unique("secretive")
    await watch.cluster.apply(deployment(name, nginx(envFrom=[{"secretRef": {"name": f"{name}-db"}}]), 1))
    await until_waiting(watch.cluster, name, "CreateContainerConfigError")

    incident_id = await watch.service.post_alert(body_for(name))
    incident = await watch.service.wait_for(incident_id, *ENDS)

    assert incident["status"] == "handed_over"
    assert f"kubectl create secret generic {name}-db" in incident["advice"][0]
