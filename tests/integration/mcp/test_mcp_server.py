"""Every tool of our MCP server, as processes of its own, on the sandbox and on a real API server."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.clusters import ClusterUnderTest, await_condition
from tests.integration.cluster.workloads import deployment, misbehave, service
from tools.errors import ToolServerError
from tools.kubernetes.client import Cluster
from tools.mcp.server import Role, build_server
from tools.mcp.session import ToolResult, ToolSession, in_memory, kubernetes_tools

PASSWORD = "hunter22-is-secret"


ENVIRONMENT = [
    {"name": "DB_PASSWORD", "value": PASSWORD},
    {"name": "DB", "value": f"postgres://shop:{PASSWORD}@db"},
]
# a kubeconfig for a port where nobody listens
NOWHERE = """
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: nowhere, context: {cluster: c, user: u}}]
current-context: nowhere
"""


@asynccontextmanager
async def open_here(kubeconfig: Path, role: Role) -> AsyncIterator[ToolSession]:
    """Open a session with a server in this process: a process per test would take most of the time."""
    async with (
        Cluster.from_kubeconfig(kubeconfig) as client,
        ToolSession(role, in_memory(lambda: build_server(client, role))) as session,
    ):
        yield session


@pytest.fixture
async def reader(cluster: ClusterUnderTest) -> AsyncIterator[ToolSession]:
    async with open_here(cluster.reader_kubeconfig, "reader") as session:
        yield session


@pytest.fixture
async def writer(cluster: ClusterUnderTest) -> AsyncIterator[ToolSession]:
    async with open_here(cluster.writer_kubeconfig, "writer") as session:
        yield session


@pytest.fixture
async def running(cluster: ClusterUnderTest, reader: ToolSession) -> str:
    name = cluster.unique("web")
    await cluster.apply(deployment(name, replicas=2, env=ENVIRONMENT))
    status = {"subCommand": "status", "resourceType": "deployment", "name": name}
    await until(lambda: reader.call("kubectl_rollout", status), "successfully rolled out")
    return name


@pytest.fixture
async def broken(cluster: ClusterUnderTest, reader: ToolSession) -> str:
    name = cluster.unique("web")
    await cluster.apply(deployment(name, "nginx:1.25-"))
    pods = {"resourceType": "pods", "labelSelector": f"app={name}", "output": "wide"}
    await until(lambda: reader.call("kubectl_get", pods), "ImagePullBackOff")
    return name


async def until(read: Callable[[], Awaitable[ToolResult]], words: str) -> ToolResult:
    deadline = time.monotonic() + 30
    while words not in (result := await read()).text:
        assert time.monotonic() < deadline, f"{words!r} never came; last: {result.text[-500:]}"
        await asyncio.sleep(0.05)
    return result


async def read_json(session: ToolSession, **arguments: Any) -> Any:
    result = await session.call("kubectl_get", arguments)
    assert not result.is_error, result.text
    return json.loads(result.text)


async def pod_of(session: ToolSession, name: str) -> str:
    pods = await read_json(session, resourceType="pods", labelSelector=f"app={name}")
    found: str = pods["items"][0]["metadata"]["name"]
    return found


async def test_each_role_offers_its_own_tools_and_says_what_they_do(
    reader: ToolSession, writer: ToolSession
) -> None:
    reading = {tool.name: tool.metadata or {} for tool in await reader.langchain_tools()}
    writing = {tool.name: tool.metadata or {} for tool in await writer.langchain_tools()}

    assert set(reading) == {"kubectl_get", "kubectl_describe", "kubectl_logs", "kubectl_rollout"}
    assert all(hints["readOnlyHint"] for hints in reading.values())
    assert set(writing) == {"kubectl_patch"}
    assert (writing["kubectl_patch"]["readOnlyHint"], writing["kubectl_patch"]["destructiveHint"]) == (
        False,
        True,
    )


async def test_every_tool_refuses_arguments_it_does_not_know(
    reader: ToolSession, writer: ToolSession
) -> None:
    for session in (reader, writer):
        for tool in await session.langchain_tools():
            schema: Any = tool.args_schema
            assert schema["additionalProperties"] is False

    result = await reader.call("kubectl_get", {"resourceType": "pods", "context": "production"})

    assert (result.is_error, result.error_code) == (True, 400)
    assert "context" in result.text


async def test_an_object_is_read_whole_without_bookkeeping(reader: ToolSession, running: str) -> None:
    found = await read_json(reader, resourceType="deploy", name=running)

    assert found["spec"]["selector"]["matchLabels"] == {"app": running}
    assert found["status"]["observedGeneration"] >= 1
    assert "managedFields" not in found["metadata"]


async def test_a_list_is_read_in_each_form(reader: ToolSession, running: str) -> None:
    wanted = {"resourceType": "deploy", "fieldSelector": f"metadata.name={running}"}

    whole = await read_json(reader, **wanted)
    everywhere = await read_json(reader, **wanted, allNamespaces=True)
    names = await reader.call("kubectl_get", {**wanted, "output": "name"})
    wide = await reader.call("kubectl_get", {**wanted, "output": "wide"})
    as_yaml = await reader.call("kubectl_get", {**wanted, "output": "yaml"})

    assert [item["metadata"]["name"] for item in whole["items"]] == [running]
    assert [item["metadata"]["name"] for item in everywhere["items"]] == [running]
    assert names.text == f"deployment.apps/{running}\n"
    assert "2/2" in wide.text
    assert "nginx:1.25" in as_yaml.text


async def test_credentials_are_hidden_in_everything_that_is_shown(reader: ToolSession, running: str) -> None:
    pod = await pod_of(reader, running)
    shown = [
        await reader.call("kubectl_get", {"resourceType": "deploy", "name": running}),
        await reader.call("kubectl_get", {"resourceType": "deploy", "name": running, "output": "yaml"}),
        await reader.call("kubectl_get", {"resourceType": "pods", "labelSelector": f"app={running}"}),
        await reader.call("kubectl_describe", {"resourceType": "deploy", "name": running}),
        await reader.call("kubectl_describe", {"resourceType": "pod", "name": pod}),
    ]

    for result in shown:
        assert not result.is_error
        assert PASSWORD not in result.text
        assert "<redacted>" in result.text


@pytest.mark.parametrize("output", ["json", "yaml", "wide", "name"])
async def test_secrets_are_refused_in_every_form(reader: ToolSession, output: str) -> None:
    for spelling in ("secret", "Secrets", "secrets.v1", "secrets.v1.example.com"):
        result = await reader.call("kubectl_get", {"resourceType": spelling, "output": output})

        assert (result.is_error, result.error_code) == (True, 403)
        assert "never reads or changes Secrets" in result.text


async def test_a_broken_pods_description_says_why(reader: ToolSession, broken: str) -> None:
    arguments = {"resourceType": "pod", "name": await pod_of(reader, broken), "namespace": "default"}

    # events may lag the pod's state
    described = await until(lambda: reader.call("kubectl_describe", arguments), "Failed to pull image")

    assert "ReplicaSet/" in described.text
    assert "nginx:1.25-" in described.text
    assert "ImagePullBackOff" in described.text or "ErrImagePull" in described.text


@pytest.mark.parametrize("kind", ["deployment", "replicaset", "node", "namespace", "service"])
async def test_every_kind_can_be_described(reader: ToolSession, running: str, kind: str) -> None:
    names = await reader.call("kubectl_get", {"resourceType": kind, "output": "name"})
    if not names.text.strip():
        pytest.skip(f"this cluster has no {kind}")
    name = names.text.split()[-1].partition("/")[2]

    described = await reader.call("kubectl_describe", {"resourceType": kind, "name": name})

    assert not described.is_error, described.text
    assert described.text.startswith("Name:")
    assert "Events:" in described.text


async def test_events_are_read_by_field(reader: ToolSession, running: str) -> None:
    selector = f"involvedObject.kind=Deployment,involvedObject.name={running}"

    events = await read_json(reader, resourceType="events", fieldSelector=selector)

    assert {event["reason"] for event in events["items"]} == {"ScalingReplicaSet"}


async def test_logs_are_read_from_a_pod_and_from_all_pods_of_a_deployment(
    reader: ToolSession, running: str
) -> None:
    pod = await pod_of(reader, running)

    of_pod = await reader.call("kubectl_logs", {"resourceType": "pod", "name": pod, "tail": 1, "since": "1h"})
    of_all = await reader.call("kubectl_logs", {"resourceType": "deployment", "name": running, "tail": 1})

    assert not of_pod.is_error, of_pod.text
    assert len(of_pod.text.strip().splitlines()) == 1
    assert of_all.text.count("==> ") == 2


async def test_a_pod_that_never_ran_has_no_log_and_says_why(reader: ToolSession, broken: str) -> None:
    pod = await pod_of(reader, broken)

    result = await reader.call("kubectl_logs", {"resourceType": "pod", "name": pod})

    assert (result.is_error, result.error_code) == (True, 400)
    assert "is waiting to start" in result.text


async def test_a_rollouts_history_names_the_images_one_could_go_back_to(
    reader: ToolSession, writer: ToolSession, running: str
) -> None:
    patched = await writer.call("kubectl_patch", new_image(running, "nginx:1.26"))
    arguments = {"subCommand": "history", "resourceType": "deployment", "name": running}

    history = await until(lambda: reader.call("kubectl_rollout", arguments), "nginx:1.26")

    assert not patched.is_error, patched.text
    first, second = history.text.splitlines()[2:]
    assert (first.split()[0], second.split()[0]) == ("1", "2")
    assert "nginx:1.25" in first


async def test_an_unfinished_rollout_is_told_without_waiting(reader: ToolSession, broken: str) -> None:
    arguments = {"subCommand": "status", "resourceType": "deployment", "name": broken}

    result = await reader.call("kubectl_rollout", arguments)  # to wait for its end would be for ever

    assert "Waiting for deployment" in result.text


def new_image(name: str, image: str, **metadata: str) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "app", "image": image}]}}
    data = {"spec": {"template": template}} | ({"metadata": metadata} if metadata else {})
    where = {"resourceType": "deployment", "name": name, "namespace": "default"}
    return {**where, "patchType": "strategic", "patchData": data}


async def test_a_stale_patch_is_a_conflict_and_writes_nothing(
    reader: ToolSession, writer: ToolSession, running: str
) -> None:
    result = await writer.call("kubectl_patch", new_image(running, "nginx:1.26", resourceVersion="1"))

    found = await read_json(reader, resourceType="deploy", name=running)
    assert (result.is_error, result.error_code) == (True, 409)
    assert json.loads(result.text)["error"]["reason"] == "Conflict"
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"


async def test_what_is_not_there_is_a_404(reader: ToolSession, writer: ToolSession) -> None:
    read = await reader.call("kubectl_describe", {"resourceType": "pod", "name": "nobody"})
    written = await writer.call("kubectl_patch", new_image("nobody", "nginx:1.26"))

    assert (read.error_code, written.error_code) == (404, 404)


async def test_the_readers_process_can_not_write_even_with_the_writers_tool(
    cluster: ClusterUnderTest, reader: ToolSession, running: str
) -> None:
    with pytest.raises(ToolServerError, match="no tool 'kubectl_patch'"):
        await reader.call("kubectl_patch", new_image(running, "nginx:1.26"))

    async with kubernetes_tools("writer", cluster.reader_kubeconfig) as impostor:
        result = await impostor.call("kubectl_patch", new_image(running, "nginx:1.26"))

    assert (result.is_error, result.error_code) == (True, 403)


async def test_a_server_in_a_process_of_its_own_answers_alike(
    cluster: ClusterUnderTest, reader: ToolSession, running: str
) -> None:
    arguments = {"resourceType": "deploy", "name": running, "output": "name"}

    async with kubernetes_tools("reader", cluster.reader_kubeconfig) as apart:
        answer = await apart.call("kubectl_get", arguments)
        identity = await apart.identity()

    assert answer == await reader.call("kubectl_get", arguments)
    assert identity == await reader.identity()


async def test_the_log_before_a_crash_is_read(cluster: ClusterUnderTest, reader: ToolSession) -> None:
    name = cluster.unique("crashing")
    await cluster.apply(misbehave(deployment(name), crash="true"))
    pods = {"resourceType": "pods", "labelSelector": f"app={name}", "output": "wide"}
    await until(lambda: reader.call("kubectl_get", pods), "CrashLoopBackOff")

    async def previous() -> str | None:
        arguments = {"resourceType": "pod", "name": await pod_of(reader, name), "previous": True}
        result = await reader.call("kubectl_logs", arguments)
        return None if result.is_error else result.text

    # between two runs a current kubelet has no log of the run before the last one
    assert (await await_condition(previous, "the log of the run before")).strip()


async def test_a_services_description_names_its_endpoints(
    cluster: ClusterUnderTest, reader: ToolSession, running: str
) -> None:
    await cluster.apply(service(running))
    arguments = {"resourceType": "svc", "name": running}

    described = await until(lambda: reader.call("kubectl_describe", arguments), ":80\n")

    assert f"app={running}" in described.text


async def test_an_unreachable_cluster_is_an_error_without_a_code(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(NOWHERE)

    async with open_here(kubeconfig, "reader") as session:
        result = await session.call("kubectl_get", {"resourceType": "pods"})

    error = json.loads(result.text)["error"]
    assert (result.is_error, result.error_code, error["code"]) == (True, None, None)
    assert "context 'nowhere'" in error["message"]


async def test_a_kubeconfig_that_is_not_there_is_told_in_the_servers_last_words(tmp_path: Path) -> None:
    async with kubernetes_tools("reader", tmp_path / "gone") as session:
        with pytest.raises(ToolServerError, match="gone not found"):
            await session.start()


def test_the_server_ends_when_stdin_closes(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(NOWHERE)
    command = [sys.executable, "-m", "tools.mcp.server", "--role", "reader", "--kubeconfig", str(kubeconfig)]

    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)

    assert (ended.returncode, ended.stdout) == (0, b"")
