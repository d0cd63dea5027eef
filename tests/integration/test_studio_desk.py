"""What becomes of an answer in Studio's dev mode: a decision in nobody's name, or why there is none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.studio.decisions import StudioPauseAnswerHandler
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.pause_answer import PauseAnswer
from graph.domain.proposal import Approval
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(f"sqlite+aiosqlite:///{tmp_path}/scratch.db") as ledger:
        yield ledger


@pytest.fixture
async def approval(ledger: Ledger) -> Approval:
    """Return the pending approval of a run that was started by hand."""
    incident_id = await ledger.incidents.open(AlertGroup.model_validate(real_body()))
    return await ledger.approvals.propose(make_proposal(incident_id=incident_id), 0)


async def said(ledger: Ledger, approval: Approval) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the approval's status, and who said what and why."""
    found = await ledger.approvals.find(approval.id)
    return found.status, [(one.by, one.verdict, one.reason) for one in found.decisions]


async def test_a_rejection_is_recorded_with_its_reason(ledger: Ledger, approval: Approval) -> None:
    refusal = await StudioPauseAnswerHandler(ledger).take(
        approval, PauseAnswer(kind="reject", reason="use 1.26")
    )

    assert refusal == ""
    assert await said(ledger, approval) == ("rejected", [("studio:unverified", "reject", "use 1.26")])


async def test_an_edit_that_changes_nothing_approves(ledger: Ledger, approval: Approval) -> None:
    same = approval.proposal.arguments.as_json()

    refusal = await StudioPauseAnswerHandler(ledger).take(approval, PauseAnswer(kind="edit", arguments=same))

    assert refusal == ""
    status, [(by, verdict, _)] = await said(ledger, approval)
    assert (status, by, verdict) == ("approved", "studio:unverified", "approve")


async def test_an_edit_that_cannot_be_previewed_says_so(ledger: Ledger, approval: Approval) -> None:
    call = approval.proposal.arguments.as_json() | {"patchData": {"spec": {"replicas": 2}}}

    refusal = await StudioPauseAnswerHandler(ledger).take(approval, PauseAnswer(kind="edit", arguments=call))

    assert "MENDGATE_WRITE_KUBECONFIG" in refusal
    assert await said(ledger, approval) == ("pending", [])


async def test_to_wait_decides_nothing(ledger: Ledger, approval: Approval) -> None:
    refusal = await StudioPauseAnswerHandler(ledger).take(approval, PauseAnswer(kind="wait"))

    assert refusal == ""
    assert await said(ledger, approval) == ("pending", [])


async def test_an_answer_to_what_is_decided_already_says_so_and_records_nothing(
    ledger: Ledger, approval: Approval
) -> None:
    desk = StudioPauseAnswerHandler(ledger)
    await desk.take(approval, PauseAnswer(kind="reject", reason="no"))

    refusal = await desk.take(approval, PauseAnswer(kind="approve"))

    assert "already rejected" in refusal
    assert await said(ledger, approval) == ("rejected", [("studio:unverified", "reject", "no")])


async def test_the_answer_binds_what_was_seen(ledger: Ledger, approval: Approval) -> None:
    seen = approval.model_copy(update={"digest": "0" * 64})

    refusal = await StudioPauseAnswerHandler(ledger).take(seen, PauseAnswer(kind="approve"))

    assert "digest" in refusal
    assert await said(ledger, approval) == ("pending", [])
