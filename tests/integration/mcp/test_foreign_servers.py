"""npm's mcp-server-kubernetes and the Go kubernetes-mcp-server as they really are, on a real API server.

One of each serves all tests: npm's takes seconds to start.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from graph.policy import BUILT_IN, refuse_read, refuse_tool
from tests.acceptance.workloads import deployment, pods, until_waiting
from tests.integration.cluster.clusters import ClusterUnderTest, await_condition
from tests.integration.mcp.foreign_servers import go_entry, npm_entry, open_real_cluster
from tools.kubectl.trimming import LIMIT_CHARACTERS
from tools.mcp.config_file import read_mcp_config
from tools.mcp.session import ToolResult, kubernetes_tools
from tools.mcp.toolbox import OWN_SERVER, Toolbox

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSWORD = "hunter22-is-secret"
OUTPUTS = ("json", "yaml", "wide")
HTTP_TRANSPORTS = {
    "http": ("ENABLE_UNSAFE_STREAMABLE_HTTP_TRANSPORT", "mcp"),
    "sse": ("ENABLE_UNSAFE_SSE_TRANSPORT", "sse"),
}
Ask = Callable[..., Awaitable[ToolResult]]


@asynccontextmanager
async def toolbox(cluster: ClusterUnderTest, folder: Path, **servers: Any) -> AsyncIterator[Toolbox]:
    """Open a toolbox with the servers of a file, as the service does."""
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    readers = read_mcp_config(path, os.environ).open_readers(cluster.reader_kubeconfig)
    async with Toolbox(kubernetes_tools("reader", cluster.reader_kubeconfig), readers) as box:
        yield box


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster() -> AsyncIterator[ClusterUnderTest]:
    real = open_real_cluster()
    yield real
    await real.clean()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def box(cluster: ClusterUnderTest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Toolbox]:
    """Open a toolbox with both servers."""
    folder = tmp_path_factory.mktemp("servers")
    async with toolbox(cluster, folder, npm=npm_entry(), go=go_entry("--read-only")) as opened:
        yield opened


@pytest.fixture
def npm(box: Toolbox) -> Ask:
    return asking(box, "npm", namespace="default")


@pytest.fixture
def go(box: Toolbox) -> Ask:
    return asking(box, "go", namespace="default")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def broken(cluster: ClusterUnderTest) -> str:
    """Return the name of a Deployment whose image can't be pulled."""
    name = cluster.unique("foreign")
    container = {
        "name": "nginx",
        "image": "nginx:1.25-",
        "env": [{"name": "DB_PASSWORD", "value": PASSWORD}, {"name": "PORT", "value": "8080"}],
    }
    await cluster.apply(deployment(name, container, 1))
    await until_waiting(cluster, name, "ImagePullBackOff", "ErrImagePull")
    return name


def asking(box: Toolbox, server: str, **always: Any) -> Ask:
    async def ask(tool: str, **arguments: Any) -> ToolResult:
        offers = {one.name: one for one in await box.offers() if one.server == server}
        wanted = always | arguments
        assert refuse_read(offers.get(tool), wanted, BUILT_IN) is None
        return await box.call(server, tool, wanted)

    return ask


def children(word: str) -> list[int]:
    """Return the processes that this one has started with a word in their command."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_text()
        except (OSError, ValueError):
            continue
        if folder.name.isdigit() and int(parent) == os.getpid() and word in command:
            found.append(int(folder.name))
    return found


async def test_npms_reads_are_on_the_list_and_everything_else_it_has_is_refused(box: Toolbox) -> None:
    offers = [one for one in await box.offers() if one.server == "npm"]

    readable = {one.name for one in offers if refuse_tool(one, BUILT_IN) is None}

    assert readable == {
        "kubectl_get", "kubectl_describe", "kubectl_logs", "kubectl_rollout", "explain_resource",
        "list_api_resources",
    }  # fmt: skip
    assert len(offers) > len(readable) + 10
    assert {"kubectl_context", "ping"} <= {one.name for one in offers if one.read_only_hint} - readable
    for one in offers:
        if one.name in readable:
            known = set(one.input_schema.get("properties", {}))
            assert known & set(BUILT_IN.reads[one.name]), "the list knows this server's arguments"
            harmful = {"context", "follow", "watch", "timeout", "verbs"}
            assert harmful & known & set(BUILT_IN.reads[one.name]) == set()


async def test_npm_reads_an_incident_and_credentials_stay_hidden(
    npm: Ask, cluster: ClusterUnderTest, broken: str
) -> None:
    pod = (await pods(cluster, broken))[0]["metadata"]["name"]

    described = await npm("kubectl_describe", resourceType="pod", name=pod)
    as_json = await npm("kubectl_get", resourceType="deployment", name=broken, output="json")
    as_yaml = await npm("kubectl_get", resourceType="deployment", name=broken, output="yaml")
    listed = await npm("kubectl_get", resourceType="pods", labelSelector=f"app={broken}")
    history = await npm("kubectl_rollout", subCommand="history", resourceType="deployment", name=broken)

    assert "nginx:1.25-" in described.text
    assert "DB_PASSWORD" in described.text
    assert json.loads(as_json.text)["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"] == "8080"
    assert json.loads(listed.text)["items"][0]["status"] in {"ImagePullBackOff", "ErrImagePull"}
    assert "REVISION" in history.text
    for answer in (described, as_json, as_yaml, listed, history):
        assert not answer.is_error
        assert PASSWORD not in answer.text


async def test_npms_errors_have_their_codes_however_they_come(npm: Ask, box: Toolbox) -> None:
    missing = await npm("kubectl_get", resourceType="deployment", name="no-such")
    undescribed = await npm("kubectl_describe", resourceType="deployment", name="no-such")
    forbidden = await box.call("npm", "kubectl_get", {"resourceType": "secrets", "namespace": "default"})
    unknown = await npm("kubectl_get", resourceType="nonsense")

    assert (missing.is_error, missing.error_code) == (True, 404), "a result with isError"
    assert (undescribed.is_error, undescribed.error_code) == (True, 404)
    assert (forbidden.is_error, forbidden.error_code) == (True, 403), "an error of JSON-RPC"
    assert (unknown.is_error, unknown.error_code) == (True, None)


async def test_npms_logs_of_a_deployment_bring_errors_as_success_and_are_shown_as_they_are(
    npm: Ask, broken: str
) -> None:
    logs = await npm("kubectl_logs", resourceType="deployment", name=broken)

    assert not logs.is_error
    (line,) = json.loads(logs.text)["logs"].values()
    assert "Error from server (BadRequest)" in line
    assert logs.error_code is None


async def test_a_rollout_that_never_ends_stops_neither_its_caller_nor_the_next_one(
    npm: Ask, broken: str
) -> None:
    async with asyncio.timeout(60):
        status, listed = await asyncio.gather(
            npm("kubectl_rollout", subCommand="status", resourceType="deployment", name=broken),
            npm("kubectl_get", resourceType="deployment", name=broken),
        )

    assert "timed out waiting for the condition" in status.text
    assert json.loads(listed.text)["metadata"]["name"] == broken


async def test_npms_huge_answers_are_cut(npm: Ask, cluster: ClusterUnderTest) -> None:
    name = cluster.unique("huge")
    data = {f"key-{number}": "x" * 1_000 for number in range(300)}
    about = {"name": name, "namespace": "default"}
    await cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data})

    answer = await npm("kubectl_get", resourceType="cm", name=name)

    assert not answer.is_error
    assert LIMIT_CHARACTERS < len(answer.text) < LIMIT_CHARACTERS + 100
    assert "characters left out]" in answer.text


async def test_npms_server_is_started_anew_after_it_was_killed(npm: Ask) -> None:
    before = await npm("kubectl_get", resourceType="deployments")
    (pid,) = children("mcp-server-kubernetes")
    os.kill(pid, signal.SIGKILL)

    async def probe() -> ToolResult | None:
        answer = await npm("kubectl_get", resourceType="deployments")
        return None if answer.is_error else answer

    after = await await_condition(probe, "the server to be back", 20)

    assert not before.is_error
    assert not after.is_error
    assert children("mcp-server-kubernetes") != [pid]


async def test_many_calls_at_once_are_all_answered(npm: Ask, broken: str) -> None:
    answers = await asyncio.gather(
        *(npm("kubectl_get", resourceType="deployment", name=broken, output=output) for output in OUTPUTS)
    )

    assert [broken in answer.text for answer in answers] == [True, True, True]


async def test_npm_obeys_a_limit_of_its_tools_and_refuses_to_start_with_a_misspelt_one(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    servers = {
        "limited": npm_entry(ALLOWED_TOOLS="kubectl_get,kubectl_describe"),
        "misspelt": npm_entry(ALLOWED_TOOLS="kubectl_gett"),
    }

    async with toolbox(cluster, tmp_path, **servers) as box:
        offers = await box.offers()
        answer = await box.call("misspelt", "kubectl_get", {})

    assert [one.name for one in offers if one.server != OWN_SERVER] == ["kubectl_get", "kubectl_describe"]
    assert answer.is_error
    assert "unknown tool name: kubectl_gett" in answer.text


async def test_the_go_servers_reads_are_on_the_list_and_it_never_shows_the_kubeconfig(box: Toolbox) -> None:
    offers = {one.name: one for one in await box.offers() if one.server == "go"}

    readable = {name for name, one in offers.items() if refuse_tool(one, BUILT_IN) is None}

    assert readable == {
        "events_list", "namespaces_list", "nodes_top", "pods_get", "pods_list", "pods_list_in_namespace",
        "pods_log", "pods_top", "resources_get", "resources_list",
    }  # fmt: skip
    assert offers["configuration_view"].read_only_hint
    assert refuse_read(offers["configuration_view"], {}, BUILT_IN)
    assert all(one.read_only_hint for one in offers.values()), "--read-only leaves nothing else"
    for name in readable:
        assert set(offers[name].input_schema.get("properties", {})) == set(BUILT_IN.reads[name])


async def test_the_go_server_reads_an_incident_and_credentials_stay_hidden(
    go: Ask, cluster: ClusterUnderTest, broken: str
) -> None:
    pod = (await pods(cluster, broken))[0]["metadata"]["name"]

    listed = await go("pods_list_in_namespace", labelSelector=f"app={broken}")
    one = await go("pods_get", name=pod)
    whole = await go("resources_get", apiVersion="apps/v1", kind="Deployment", name=broken)
    events = await go("events_list", fieldSelector=f"involvedObject.name={pod}")
    missing = await go("resources_get", apiVersion="apps/v1", kind="Deployment", name="no-such")

    assert pod in listed.text
    assert "nginx:1.25-" in one.text
    assert "value: '8080'" in whole.text
    assert "Failed to pull image" in events.text
    assert missing.is_error
    assert "not found" in missing.text
    for answer in (listed, one, whole, events):
        assert not answer.is_error
        assert PASSWORD not in answer.text


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_a_server_that_runs_elsewhere_is_read_over_http(
    cluster: ClusterUnderTest, tmp_path: Path, broken: str, kind: str
) -> None:
    async with running(cluster, kind) as url:
        remote = {"type": kind, "url": url, "headers": {"X-Team": "shop"}}
        async with toolbox(cluster, tmp_path, npm=remote) as box:
            whole = await asking(box, "npm", namespace="default")(
                "kubectl_get", resourceType="deployment", name=broken
            )

    assert not whole.is_error
    assert "nginx:1.25-" in whole.text
    assert PASSWORD not in whole.text


async def test_a_remote_server_that_is_not_there_is_left_out(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    remote = {"url": "http://user:pass-word@127.0.0.1:9/mcp?key=t0p"}

    async with toolbox(cluster, tmp_path, gone=remote) as box:
        offers = await box.offers()
        answer = await box.call("gone", "pods_get", {})

    assert {one.server for one in offers} == {OWN_SERVER}
    assert "'gone' (http://user:" in answer.text
    assert "pass-word" not in answer.text
    assert "t0p" not in answer.text


@asynccontextmanager
async def running(cluster: ClusterUnderTest, kind: str) -> AsyncIterator[str]:
    """Run npm's server over HTTP and yield its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    transport, path = HTTP_TRANSPORTS[kind]
    entry = npm_entry(PORT=str(port), HOST="127.0.0.1", **{transport: "true"})
    environment = {**os.environ, **entry["env"], "KUBECONFIG": str(cluster.reader_kubeconfig)}
    process = await asyncio.create_subprocess_exec(
        entry["command"], *entry["args"], env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await await_condition(lambda: _listens(port), "the server to listen")
        yield f"http://127.0.0.1:{port}/{path}"
    finally:
        process.kill()
        await process.wait()


async def _listens(port: int) -> bool | None:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    writer.close()
    await writer.wait_closed()
    return True
