"""Attacks through tools: the diagnosing side asks for a write, under every name and in every disguise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from graph.domain.diagnosis import ReadCall
from tests.acceptance.workloads import deployment, read
from tests.attack.counting_proxy import CountingProxy
from tests.attack.stages import Stage
from tests.integration.cluster.clusters import ClusterUnderTest
from tools.errors import ToolServerError
from tools.mcp.session import kubernetes_tools
from tools.mcp.toolbox import OWN_SERVER
from tools.mcp.transports import StdioServer

if TYPE_CHECKING:
    from mcp import ClientSession

on_both_clusters = pytest.mark.parametrize(
    ("database_url", "cluster"), [("sqlite", "sandbox"), ("sqlite", "real")], indirect=True
)
TRICKS = [
    "kubectl_patch", "kubectl_delete", "kubectl_scale", "KUBECTL_GET", "Kubectl_get", "kubectl_get ",
    " kubectl_get", "kubectl_get\n", "kubectl_g\u0435t", "kubectl_get\u200b", "\u202ekubectl_get",
    "\uff4bubectl_get", "kubectl\uff3fget", "mendgate/kubectl_get", "writer/kubectl_patch", "kubectl-get",
    "kubectl_get;kubectl_patch", "kubectl_get\0", "tools/call", "", "__class__",
]  # fmt: skip
SMUGGLED: list[dict[str, Any]] = [
    {"context": "production"}, {"kubeconfig": "/etc/kubernetes/admin.conf"}, {"patchFile": "/etc/passwd"},
    {"patchData": {"spec": {"replicas": 0}}}, {"as": "system:masters"}, {"dryRun": False},
    {"resourceType": "secrets"}, {"resourceType": "Secret"}, {"resourceType": "secrets/token"},
    {"resourceType": "pods,secrets"}, {"resourceType": "secrets.v1."}, {"resourceType": "deploy --all"},
    {"name": "secret/token"}, {"name": "--raw=/api/v1/secrets"}, {"name": "../../secrets/x"},
    {"labelSelector": "-o=yaml"}, {"output": "jsonpath-file=/etc/passwd"}, {"namespace": ["kube-system"]},
]  # fmt: skip


def patch_of(name: str) -> dict[str, Any]:
    return {
        "resourceType": "deployment", "name": name, "namespace": "default", "patchType": "merge",
        "patchData": {"spec": {"replicas": 0}},
    }  # fmt: skip


async def start(cluster: ClusterUnderTest) -> str:
    name = cluster.unique("untouched")
    await cluster.apply(deployment(name, {"name": "nginx", "image": "nginx:1.25"}, replicas=1))
    return name


@on_both_clusters
async def test_tool_calls_forged_into_a_run_are_refused_one_by_one(stage: Stage) -> None:
    incident = await stage.open_incident()
    assert incident.target is not None
    patch = patch_of(incident.target.name)
    plain = {"resourceType": "deployment", "name": incident.target.name, "namespace": "default"}
    calls = [ReadCall(tool=tool, arguments=arguments) for tool in TRICKS for arguments in (patch, plain)]
    calls += [ReadCall(tool="kubectl_get", arguments=plain | smuggled) for smuggled in SMUGGLED]
    config = await stage.config(incident.id)
    before = len(await stage.ledger.incidents.evidence(incident.id))

    await stage.graph.aupdate_state(config, {"pending_calls": tuple(calls)}, as_node="analyze_root_cause")
    await stage.run(incident.id, None)

    evidence = (await stage.ledger.incidents.evidence(incident.id))[before : before + len(calls)]
    assert [(one.tool, one.arguments) for one in evidence if not one.is_error] == []
    assert len(evidence) == len(calls)
    assert stage.front.writes == []


@on_both_clusters
async def test_the_diagnosing_session_has_no_writing_tool(stage: Stage) -> None:
    name = await start(stage.front.cluster)
    offered = {offer.name for offer in await stage.toolbox.offers()}

    for tool in TRICKS:
        with pytest.raises(ToolServerError):
            await stage.toolbox.call(OWN_SERVER, tool, patch_of(name))

    assert "kubectl_patch" not in offered
    assert stage.front.writes == []


@asynccontextmanager
async def raw_session(front: CountingProxy) -> AsyncIterator["ClientSession"]:
    """Speak to the reader's server process itself, without our own client before it."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    server = kubernetes_tools("reader", front.reader_kubeconfig)._server
    assert isinstance(server, StdioServer)
    how = StdioServerParameters(command=server.command, args=list(server.args), env=dict(server.env))
    async with stdio_client(how) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield session


@pytest.mark.parametrize("cluster", ["sandbox", "real"], indirect=True)
async def test_the_readers_server_process_writes_for_nobody(front: CountingProxy) -> None:
    name = await start(front.cluster)
    before = await read(front.cluster, name)

    async with raw_session(front) as session:
        for tool in TRICKS:
            assert (await session.call_tool(tool, patch_of(name))).isError, tool
        for smuggled in SMUGGLED:
            plain = {"resourceType": "deployment", "name": name, "namespace": "default"}
            answer = await session.call_tool("kubectl_get", plain | smuggled)
            assert answer.isError, smuggled

    assert front.writes == []
    assert (await read(front.cluster, name))["metadata"]["generation"] == before["metadata"]["generation"]


@pytest.mark.parametrize("cluster", ["sandbox", "real"], indirect=True)
async def test_the_readers_credential_is_refused_every_write(front: CountingProxy) -> None:
    name = await start(front.cluster)
    before = await read(front.cluster, name)
    one = f"/apis/apps/v1/namespaces/default/deployments/{name}"
    merge = {"content-type": "application/merge-patch+json"}
    attempts: list[tuple[str, str, Any]] = [
        ("PATCH", one, {"spec": {"replicas": 0}}), ("PATCH", f"{one}/scale", {"spec": {"replicas": 0}}),
        ("PATCH", f"{one}/status", {"status": {}}), ("PUT", one, before), ("DELETE", one, None),
        ("POST", "/apis/apps/v1/namespaces/default/deployments", before),
        ("DELETE", "/apis/apps/v1/namespaces/default/deployments", None),
        ("POST", "/api/v1/namespaces/default/pods", {"kind": "Pod", "apiVersion": "v1"}),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {}),
        ("DELETE", "/api/v1/namespaces/default", None),
    ]  # fmt: skip

    codes = [
        (await front.cluster.reader.request(method, path, json=document, headers=merge)).status_code
        for method, path, document in attempts
    ]
    async with kubernetes_tools("writer", front.reader_kubeconfig) as impostor:
        patched = await impostor.call("kubectl_patch", patch_of(name))

    assert codes == [403] * len(attempts)
    assert (patched.is_error, patched.error_code) == (True, 403)
    assert front.taken == []
    assert (await read(front.cluster, name))["metadata"]["generation"] == before["metadata"]["generation"]
