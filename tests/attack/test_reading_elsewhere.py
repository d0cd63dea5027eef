"""A model that is led to another tenant's namespace: it reads nothing there."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.diagnoses import diagnosing
from tests.acceptance.workloads import deployment
from tests.integration.model_server import Answer, ScriptedModel, calls, forever
from tools.sandbox.scenarios import IMAGE_PULL

LINE = "order 4711 of tenant b"
TENANT = {"name": "ledger", "namespace": "tenant-b"}


@pytest.fixture(autouse=True)
def _speaking_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("langchain_openai")  # takes longer than the model's time
    monkeypatch.setattr(
        "tools.sandbox.controllers.logs._lines", lambda *_, **__: [("2026-01-01T00:00:00Z", LINE)]
    )


async def play(folder: Path, *script: Answer, policy: str = "") -> tuple[str, list[str], str]:
    """Let a model read on; return what it was shown, what was complained of, and the evidence."""
    tenant = deployment(TENANT["name"], {"name": "app", "image": "nginx:1.25"}, replicas=1)
    tenant["metadata"]["namespace"] = TENANT["namespace"]
    (folder / "policy.yaml").write_text(f"name: tested\n{policy}")
    async with ScriptedModel(script) as model:
        settings: dict[str, Any] = {
            "model": "scripted", "openai_base_url": model.base_url, "openai_api_key": "k", "model_timeout": 5,
            "policy": folder / "policy.yaml",
        }  # fmt: skip
        async with diagnosing(folder, **settings) as diagnosis:
            incident = await diagnosis.run(IMAGE_PULL, tenant)
            evidence = await diagnosis.service.ledger.incidents.evidence(incident.id)
            reasoned = await diagnosis.entries(incident, "reasoned")
    complaints = [one for line in reasoned for one in line.get("complaints", ())]
    shown = "".join(str(request.body) for request in model.requests)
    return shown, complaints, "".join(one.text for one in evidence)


LOOK = calls("kubectl_describe", resourceType="deployment", name=IMAGE_PULL.workload, namespace="default")
READS = {
    "logs": calls("kubectl_logs", resourceType="deployment", **TENANT),
    "an object": calls("kubectl_get", resourceType="deployment", output="json", **TENANT),
    "all namespaces": calls("kubectl_get", resourceType="pods", allNamespaces=True),
}


@pytest.mark.parametrize("what", READS)
async def test_a_model_that_asks_for_another_tenants_namespace_is_told_no(what: str, tmp_path: Path) -> None:
    shown, complaints, evidence = await play(tmp_path, LOOK, forever(READS[what]))

    assert any("a model may not read" in one for one in complaints), complaints
    assert LINE not in shown
    assert "ledger" not in evidence


async def test_a_policy_may_open_a_namespace_to_the_model(tmp_path: Path) -> None:
    shown, complaints, _ = await play(
        tmp_path, LOOK, READS["logs"], forever(READS["all namespaces"]),
        policy="reads_namespaces: [tenant-b]",
    )  # fmt: skip

    assert LINE in shown
    assert any("all namespaces at once" in one for one in complaints), complaints
