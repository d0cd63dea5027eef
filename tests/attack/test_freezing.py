"""A model's answer of two kilobytes that took half a minute to judge: others are answered meanwhile."""

import asyncio
import importlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import graph.llm.validation
import graph.proposals.drafting
from api.config.settings import Settings
from api.identity.tokens import TokenStore
from api.serving.server import serving
from graph.provenance.tracing import find_traces
from tests.acceptance.workloads import real_body
from tests.integration.cluster.clusters import Object
from tests.integration.model_server import ScriptedModel, calls
from tools.sandbox import SandboxCluster
from tools.sandbox.scenarios import IMAGE_PULL

_WAIT_SECONDS = 60
_LEAVES = 6_000


class Hold:
    """Lets a search be done, and then keeps its end back until a test has seen enough."""

    def __init__(self) -> None:
        self.searched = threading.Event()
        self._release = threading.Event()
        self.was_released = True

    def wrap(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def searching(*args: Any, **kwargs: Any) -> Any:
            found = work(*args, **kwargs)
            self.searched.set()
            # where it holds the event loop up, nobody can release it
            self.was_released = self._release.wait(_WAIT_SECONDS) and self.was_released
            return found

        return searching

    def release(self) -> None:
        self._release.set()


def long_map(number: int) -> Object:
    """Return a ConfigMap of some thousand short values."""
    metadata = {"name": f"long-{number}", "namespace": "default"}
    data = {f"k{one}": f"v{one}" for one in range(_LEAVES)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def hostile_patch() -> dict[str, Any]:
    """Return the arguments of a patch whose every value must be looked for in all of that."""
    args = [str(number) for number in range(295)]
    container = {"name": "nginx", "args": args}
    assert len(json.dumps(args)) < 2_200
    return {
        "resourceType": "deployment", "name": IMAGE_PULL.workload, "namespace": "default",
        "patchType": "strategic", "patchData": {"spec": {"template": {"spec": {"containers": [container]}}}},
    }  # fmt: skip


@asynccontextmanager
async def hostile_service(folder: Path) -> AsyncIterator[tuple[SandboxCluster, httpx.AsyncClient]]:
    """Serve a cluster, with a model that reads much and then answers with the hostile patch."""
    importlib.import_module("langchain_openai")  # takes seconds
    whole = {"namespace": "default", "output": "json"}
    reads = [
        calls("kubectl_get", resourceType="configmap", name=f"long-{number}", **whole)
        for number in range(5)
    ]  # fmt: skip
    token = TokenStore(folder / "tokens.json").create("root", "admin")
    async with (
        ScriptedModel([*reads, calls("kubectl_patch", **hostile_patch())]) as model,
        SandboxCluster() as sandbox,
    ):
        for number in range(5):
            sandbox.apply(long_map(number))
        reader, writer = sandbox.write_kubeconfigs(folder)
        settings = Settings(
            kubeconfig=reader, write_kubeconfig=writer, port=0, mcp_config=None, model="scripted",
            database_url=f"sqlite+aiosqlite:///{folder}/ledger.db", audit_key=folder / "audit.key",
            tokens=folder / "tokens.json", openai_base_url=model.base_url, model_timeout=60,
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {token}"}
        async with serving(settings) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
            yield sandbox, client


async def wait_for_a_proposal(client: httpx.AsyncClient, incident_id: str) -> dict[str, Any]:
    async with asyncio.timeout(_WAIT_SECONDS):
        while True:
            incident = (await client.get(f"/v1/incidents/{incident_id}")).json()
            if incident["approval_ids"]:
                path = f"/v1/approvals/{incident['approval_ids'][-1]}"
                return dict((await client.get(path)).json())
            assert incident["status"] in {"open", "investigating", "awaiting_approval"}, incident
            await asyncio.sleep(0.05)


async def test_webhooks_and_the_kill_switch_are_answered_while_a_hostile_answer_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Hold()
    for module in (graph.llm.validation, graph.proposals.drafting):
        monkeypatch.setattr(module, "find_traces", hold.wrap(find_traces))
    async with hostile_service(tmp_path) as (sandbox, client):
        pods = await sandbox.break_as(IMAGE_PULL)
        posted = await client.post("/v1/webhooks/alertmanager", json=IMAGE_PULL.alert_body(pods))
        assert await asyncio.to_thread(hold.searched.wait, _WAIT_SECONDS)

        body = json.loads(json.dumps(real_body()).replace("nginx-deployment", "another"))
        answers = [
            await client.get("/healthz"),
            await client.post("/v1/webhooks/alertmanager", json=body),
            await client.put("/v1/controls/kill-switch", json={"engaged": True, "reason": "it hangs"}),
        ]
        hold.release()
        (incident_id,) = posted.json()["incident_ids"]
        approval = await wait_for_a_proposal(client, incident_id)

    assert [answer.status_code for answer in answers] == [200, 202, 200]
    assert hold.was_released, "the event loop was held up: nothing was answered in the meantime"
    assert (approval["grounding"], approval["risk"]) == ("guess", "high")
