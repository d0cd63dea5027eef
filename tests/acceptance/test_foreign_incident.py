"""A whole incident that is read and mended through npm's mcp-server-kubernetes, on a real API server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.services import ENDS
from tests.acceptance.workloads import Watch, body_for, break_image, pods, read, watching
from tests.integration.cluster.clusters import ClusterUnderTest
from tests.integration.mcp.foreign_servers import READING, npm_entry, open_real_cluster
from tests.integration.model_server import ScriptedModel, calls

ENVIRONMENT_SECRET = "hunter22-from-the-environment"


@pytest.fixture
async def cluster() -> AsyncIterator[ClusterUnderTest]:
    real = open_real_cluster()
    yield real
    await real.clean()


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    """Return a file with one npm server to read through, and one that can do nothing but patch."""
    reader = npm_entry(ALLOWED_TOOLS=READING, NOTE="${ACCEPTANCE_NOTE}")
    writer = {**npm_entry(ALLOWED_TOOLS="kubectl_patch"), "mendgate": {"role": "writer"}}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"npm": reader, "npm-writer": writer}}))
    return path


async def evidence(watch: Watch, incident_id: str) -> list[dict[str, Any]]:
    answer = await watch.service.request("GET", f"/v1/incidents/{incident_id}/evidence")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_model_reads_through_npm_and_npm_writes_what_was_approved(
    cluster: ClusterUnderTest, tmp_path: Path, servers: Path
) -> None:
    name = cluster.unique("foreign-incident")
    await break_image(cluster, name)
    pod = (await pods(cluster, name))[0]["metadata"]["name"]
    where = {"name": name, "namespace": "default", "resourceType": "deployment"}
    image = {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}}
    script = [
        calls("kubectl_describe", resourceType="pod", name=pod, namespace="default", context=""),
        calls("kubectl_rollout", **where, subCommand="status"),
        calls("kubectl_patch", **where, patchType="strategic", patchData=image),
        calls("write_report"),
    ]

    async with (
        ScriptedModel(script) as model,
        watching(
            cluster,
            tmp_path,
            MENDGATE_MCP_CONFIG=str(servers),
            ACCEPTANCE_NOTE=ENVIRONMENT_SECRET,
            MENDGATE_MODEL="scripted",
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY="sk-scripted",
        ) as watch,
    ):
        incident_id = await watch.service.post_alert(body_for(name))
        approval = await watch.service.pending_approval(incident_id)
        untouched = await read(cluster, name)
        await watch.service.decide(approval, "approve", "the tag has a typo")
        incident = await watch.service.wait_for(incident_id, *ENDS, seconds=120)
        found = await evidence(watch, incident_id)
        report = await watch.service.report(incident_id)
        log = watch.service.log()

    live = await read(cluster, name)
    assert untouched["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25-"
    assert (incident["status"], incident["verdict"]) == ("resolved", "verified")
    assert incident["diagnosis"]["source"] == "model"
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"
    assert live["metadata"]["annotations"]["mendgate.io/approval"] == approval["id"]
    assert (approval["server"]["name"], approval["server"]["version"]) == ("kubernetes", "4.1.7")
    assert [(one["server"], one["tool"]) for one in found[:2]] == [
        ("npm", "kubectl_describe"),
        ("npm", "kubectl_rollout"),
    ]
    assert "nginx:1.25-" in found[0]["text"]
    assert "npm/kubectl_describe" in report
    assert len(model.requests) == 4
    for public in (report, log, str(found), str(incident), str([one.body for one in model.requests])):
        assert ENVIRONMENT_SECRET not in public


async def test_without_a_model_the_runbooks_read_through_our_own_server_and_npm_writes(
    cluster: ClusterUnderTest, tmp_path: Path, servers: Path
) -> None:
    name = cluster.unique("foreign-runbook")
    await break_image(cluster, name)

    async with watching(cluster, tmp_path, MENDGATE_MCP_CONFIG=str(servers), ACCEPTANCE_NOTE="x") as watch:
        incident_id = await watch.service.post_alert(body_for(name))
        approval = await watch.service.pending_approval(incident_id)
        await watch.service.decide(approval, "approve")
        incident = await watch.service.wait_for(incident_id, *ENDS, seconds=120)
        found = await evidence(watch, incident_id)

    assert (incident["status"], incident["verdict"]) == ("resolved", "verified")
    assert approval["server"]["name"] == "kubernetes"
    assert {one["server"] for one in found} == {"mendgate"}


async def test_a_reader_that_does_not_start_leaves_the_incident_to_our_own_server(
    cluster: ClusterUnderTest, tmp_path: Path
) -> None:
    name = cluster.unique("foreign-absent")
    await break_image(cluster, name)
    servers = tmp_path / "mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"gone": {"command": "no-such-command"}}}))
    pod = (await pods(cluster, name))[0]["metadata"]["name"]
    script = [
        calls("kubectl_describe", resourceType="pod", name=pod, namespace="default"),
        calls("hand_over", reason="as scripted", advice=["look"]),
    ]

    async with (
        ScriptedModel(script) as model,
        watching(
            cluster,
            tmp_path,
            MENDGATE_MCP_CONFIG=str(servers),
            MENDGATE_MODEL="scripted",
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY="sk-scripted",
        ) as watch,
    ):
        incident_id = await watch.service.post_alert(body_for(name))
        incident = await watch.service.wait_for(incident_id, *ENDS)
        found = await evidence(watch, incident_id)
        log = watch.service.log()

    assert incident["status"] == "handed_over"
    assert [(one["server"], one["is_error"]) for one in found] == [("mendgate", False)]
    assert log.count("left out for now: MCP server 'gone'") == 1
