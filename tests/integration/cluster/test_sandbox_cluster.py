"""What the sandbox offers beyond a real cluster: scenarios, a record of writes, answers lost on demand."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.integration.cluster.clusters import await_condition, open_client
from tests.integration.cluster.workloads import deployment
from tools.errors import ClusterUnreachable
from tools.kubernetes.resource_types import find_kind
from tools.sandbox import SCENARIOS, SandboxCluster

Object = dict[str, Any]
MERGE = {"content-type": "application/merge-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
FIXES: dict[str, Object] = {
    "image-pull": {"name": "nginx", "image": "nginx:1.25"},
    "oom-killed": {"name": "report-builder", "resources": {"limits": {"memory": "256Mi"}}},
    "probe-port": {"name": "shop-api", "readinessProbe": {"httpGet": {"port": 8080}}},
}


def path_of(name: str) -> str:
    return find_kind("deployment").path("default", name)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_each_scenario_breaks_visibly_and_is_fixed_by_one_patch(
    sandbox: SandboxCluster, tmp_path: Path, name: str
) -> None:
    scenario = SCENARIOS[name]
    pods = await sandbox.break_as(scenario)
    body = scenario.alert_body(pods)
    _, kubeconfig = sandbox.write_kubeconfigs(tmp_path)

    async with open_client(kubeconfig) as writer:
        patch = {"spec": {"template": {"spec": {"containers": [FIXES[name]]}}}}
        answer = await writer.patch(path_of(scenario.workload), json=patch, headers=STRATEGIC)

    async def fixed() -> bool | None:
        status = (sandbox.find("deployment", scenario.workload) or {})["status"]
        wanted = len(pods)
        counts = {status.get(f"{one}Replicas") for one in ("ready", "updated", "available")}
        return True if counts == {wanted} and status["replicas"] == wanted else None

    assert answer.status_code == 200
    assert {alert["labels"]["pod"] for alert in body["alerts"]} == {pod["metadata"]["name"] for pod in pods}
    assert body["status"] == "firing"
    assert await await_condition(fixed, "the fix", seconds=10)


async def test_the_image_pull_scenario_keeps_the_healthy_revision(sandbox: SandboxCluster) -> None:
    pods = await sandbox.break_as(SCENARIOS["image-pull"])

    sets = sandbox.select("replicaset", "default")
    images = {
        one["spec"]["template"]["spec"]["containers"][0]["image"]: one["spec"]["replicas"] for one in sets
    }

    assert images == {"nginx:1.25": 0, "nginx:1.25-": 3}
    assert len(pods) == 3


async def test_only_real_writes_are_recorded(sandbox: SandboxCluster, tmp_path: Path) -> None:
    sandbox.apply(deployment("web", replicas=0))
    reader, writer = (open_client(path) for path in sandbox.write_kubeconfigs(tmp_path))

    async with reader, writer:
        await reader.patch(path_of("web"), json={"spec": {"replicas": 1}}, headers=MERGE)
        await writer.patch(
            path_of("web"), json={"spec": {"replicas": 1}}, headers=MERGE, params={"dryRun": "All"}
        )
        await writer.patch(path_of("web"), json={"spec": {"replicas": -1}}, headers=MERGE)
        answer = await writer.patch(path_of("web"), json={"spec": {"replicas": 2}}, headers=MERGE)

    (write,) = sandbox.writes
    assert (write.path, write.user, write.body) == (
        path_of("web"),
        "sandbox-writer",
        {"spec": {"replicas": 2}},
    )
    assert write.resource_version == answer.json()["metadata"]["resourceVersion"]


class LoseAnswers:
    """Carries every PATCH out, then breaks the connection off in the middle of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def cut(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)

        await self._app(scope, receive, cut if scope["method"] == "PATCH" else send)


async def test_an_answer_can_be_lost_after_the_write(tmp_path: Path) -> None:
    async with SandboxCluster(middleware=[Middleware(LoseAnswers)]) as sandbox:
        sandbox.apply(deployment("web", replicas=0))
        _, kubeconfig = sandbox.write_kubeconfigs(tmp_path)

        async with open_client(kubeconfig) as writer:
            with pytest.raises(httpx.RemoteProtocolError):
                await writer.patch(path_of("web"), json={"spec": {"replicas": 1}}, headers=MERGE)
            stored = await writer.get(path_of("web"))

    assert stored.json()["spec"]["replicas"] == 1
    assert len(sandbox.writes) == 1


async def test_a_client_that_vanishes_in_its_request_harms_nobody(
    sandbox: SandboxCluster, tmp_path: Path
) -> None:
    sandbox.apply(deployment("web", replicas=0))
    _, kubeconfig = sandbox.write_kubeconfigs(tmp_path)
    _, stream = await asyncio.open_connection("127.0.0.1", sandbox.port)
    headers = (
        f"Host: x\r\nAuthorization: Bearer {sandbox.writer_token}\r\nContent-Type: {MERGE['content-type']}"
    )

    stream.write(f"PATCH {path_of('web')} HTTP/1.1\r\n{headers}\r\nContent-Length: 100\r\n\r\n{{".encode())
    await stream.drain()
    stream.close()
    await stream.wait_closed()

    async with open_client(kubeconfig) as writer:
        answer = await writer.get(path_of("web"))
    assert answer.status_code == 200
    assert sandbox.writes == []


async def test_unknown_fields_are_refused_when_strictness_is_asked_for(
    sandbox: SandboxCluster, tmp_path: Path
) -> None:
    sandbox.apply(deployment("web", replicas=0))
    _, kubeconfig = sandbox.write_kubeconfigs(tmp_path)

    async with open_client(kubeconfig) as writer:
        answer = await writer.patch(
            path_of("web"),
            json={"spec": {"replicaz": 1}},
            headers=MERGE,
            params={"fieldValidation": "Strict", "dryRun": "All"},
        )

    assert answer.status_code == 422
    assert 'strict decoding error: unknown field "spec.replicaz"' in answer.json()["message"]


async def test_a_cluster_entered_again_is_where_and_what_it_was(tmp_path: Path) -> None:
    cluster = SandboxCluster(reader_token="read", writer_token="write")
    async with cluster:
        cluster.apply(deployment("web", replicas=0))
        reader, _ = cluster.write_kubeconfigs(tmp_path)
    async with open_client(reader) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(path_of("web"))

        async with cluster:
            answer = await client.get(path_of("web"))

    assert answer.status_code == 200


async def test_in_a_cluster_that_is_still_everything_stays_as_it_was_put_in(tmp_path: Path) -> None:
    made = deployment("web")
    status = {"observedGeneration": 1, "unavailableReplicas": 1}

    async with SandboxCluster(still=True) as cluster:
        cluster.apply({**made, "status": status})
        reader, _ = cluster.write_kubeconfigs(tmp_path)
        async with open_client(reader) as client:
            answer = await client.get(path_of("web"))

    assert answer.json()["status"] == status
    assert cluster.select("ReplicaSet") == []


async def test_a_taken_port_is_named(sandbox: SandboxCluster) -> None:
    with pytest.raises(ClusterUnreachable, match=f"127.0.0.1:{sandbox.port}"):
        async with SandboxCluster(port=sandbox.port):
            pass


async def test_kubeconfigs_are_for_their_owner_only(sandbox: SandboxCluster, tmp_path: Path) -> None:
    paths = sandbox.write_kubeconfigs(tmp_path)

    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    assert all("mendgate-sandbox" in path.read_text(encoding="utf-8") for path in paths)


async def test_what_a_deleted_deployment_owned_goes_with_it(sandbox: SandboxCluster) -> None:
    await sandbox.break_as(SCENARIOS["probe-port"])

    assert sandbox.delete("deployment", "shop-api")

    async def gone() -> bool | None:
        return None if sandbox.select("pod") or sandbox.select("replicaset") else True

    assert await await_condition(gone, "the pods' end")
