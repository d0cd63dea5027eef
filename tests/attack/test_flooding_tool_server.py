"""A tool server that answers without an end: the incident goes on without its evidence."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import body_for, break_image
from tests.integration.cluster.clusters import ClusterUnderTest, SandboxUnderTest
from tests.integration.model_server import ScriptedModel, calls
from tools.sandbox import SandboxCluster

FLOODING = Path(__file__).parent / "flooding_server.py"


@pytest.fixture
async def cluster(sandbox: SandboxCluster, tmp_path: Path) -> AsyncIterator[ClusterUnderTest]:
    under_test = SandboxUnderTest(sandbox, tmp_path)
    yield under_test
    await under_test.clean()


@pytest.mark.parametrize("stream", ["1", "2"])
async def test_the_incident_comes_to_its_proposal_without_that_servers_evidence(
    cluster: ClusterUnderTest, tmp_path: Path, stream: str
) -> None:
    name = cluster.unique("flooded")
    await break_image(cluster, name)
    flood = {"command": sys.executable, "args": [str(FLOODING)], "env": {"STREAM": stream}}
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"flood": flood}}))
    script = [calls("kubectl_describe", resourceType="deployment", name=name, namespace="default")]
    async with ScriptedModel(script) as model:
        service = ServiceProcess(
            tmp_path, cluster.reader_kubeconfig, cluster.writer_kubeconfig,
            MENDGATE_MCP_CONFIG=str(tmp_path / "mcp.json"), MENDGATE_MODEL="scripted",
            OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-none",
        )  # fmt: skip
        await service.start()
        try:
            incident_id = await service.post_alert(body_for(name))
            approval = await service.pending_approval(incident_id)
            told = json.dumps([request.body for request in model.requests])
        finally:
            await service.stop()

    assert approval["status"] == "pending"
    assert "MCP server 'flood'" in told
    assert "it sent more than 16000000 bytes for one call" in told
