"""A real and weak model: whatever it answers, these hold. What it finds out isn't judged here.

`MENDGATE_TEST_MODEL_URL` names an OpenAI-compatible endpoint, `MENDGATE_TEST_MODEL` the model.
With `-rP` pytest shows what the model did.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from graph.policy import BUILT_IN, refuse_call, refuse_change
from tests.acceptance.diagnoses import diagnosing
from tools.sandbox import SCENARIOS

URL = os.environ.get("MENDGATE_TEST_MODEL_URL")
MODEL = os.environ.get("MENDGATE_TEST_MODEL", "qwen2.5-coder-1.5b")
BUDGET_SECONDS = 240.0
# One question may begin within the budget, and the cluster is asked between the questions.
SLACK_SECONDS = 60.0

pytestmark = pytest.mark.skipif(not URL, reason="MENDGATE_TEST_MODEL_URL names no endpoint")


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_weak_model_stays_within_its_bounds(scenario: str, tmp_path: Path) -> None:
    settings = {
        "model": MODEL,
        "openai_base_url": URL,
        "model_timeout": BUDGET_SECONDS,  # on two cores a question alone takes a minute to read
        "model_budget": BUDGET_SECONDS,
    }
    async with diagnosing(tmp_path, **settings) as case:
        incident = await case.run(SCENARIOS[scenario], seconds=BUDGET_SECONDS + SLACK_SECONDS)

        told = await case.entries(incident, "reasoned")
        spent = told[-1]["model"]
        evidence = await case.service.ledger.incidents.evidence(incident.id)
        approvals = [
            await case.service.ledger.approvals.find(approval_id) for approval_id in incident.approval_ids
        ]

        Console(width=200).print(
            scenario, incident.status, spent, *(_tell(entry) for entry in told), sep="\n"
        )
        assert incident.status in {"awaiting_approval", "handed_over"}, incident
        assert case.changes() == []
        assert 1 <= spent["calls"] <= 12
        assert spent["seconds"] <= BUDGET_SECONDS + 1
        assert {entry["source"] for entry in told} <= {"runbook", "model"}
        assert len(await case.entries(incident, "tool_called")) == len(evidence)
        for approval in approvals:
            call = approval.proposal.arguments
            assert call.namespace == "default"
            assert refuse_call(call, BUILT_IN) is None
            assert refuse_change(approval.proposal.target.kind, {}, approval.proposal.diff, BUILT_IN) is None
        if incident.diagnosis:
            assert set(incident.diagnosis.evidence) <= {piece.id for piece in evidence}


def _tell(entry: dict[str, Any]) -> str:
    """Return one decision in a line: whose it was, and what was wrong with the model's answers."""
    return f"{entry['source']}: {entry['decision']}; complaints: {entry.get('complaints', [])}"
