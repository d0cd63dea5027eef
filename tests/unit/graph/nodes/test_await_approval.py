"""The pause: answers are ignored in the service; a desk takes them for what their giver was shown."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from pydantic import ValidationError

from graph.domain.alerts.payload import AlertGroup
from graph.domain.pause_answer import PauseAnswer
from graph.domain.proposal import Approval, ApprovalStatus, Decision
from graph.nodes.remediation import Remediation
from graph.ports import ApprovalLedger, IncidentLedger, Standing
from graph.state import IncidentState
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body

CONFIG: Any = {"configurable": {"thread_id": "t"}}


class OneApproval:
    """A ledger with the one approval that stands."""

    def __init__(self, approval_id: str = "apr-1") -> None:
        self.approval_id = approval_id
        self.status: ApprovalStatus = "pending"
        self.decisions: tuple[Decision, ...] = ()
        self.answers: list[PauseAnswer] = []
        self.refusal = ""

    async def standing(self, approval_id: str) -> Standing:
        now = datetime.now(UTC)
        proposal = make_proposal(id=self.approval_id)
        approval = Approval(
            proposal=proposal, status=self.status, digest=proposal.digest, quorum=1,
            decisions=self.decisions, created_at=now, decide_by=now + timedelta(hours=1), execute_by=None,
            superseded_by=None, outcome="",
        )  # fmt: skip
        return Standing(approval=approval, stopped_by=None)

    async def take(self, approval: Approval, answer: PauseAnswer) -> str:
        """Be the desk, too."""
        self.answers.append(answer)
        if not self.refusal and answer.kind == "approve":
            self.status = "approved"
        return self.refusal


def paused_state() -> IncidentState:
    return IncidentState(
        alert=AlertGroup.model_validate(real_body()), incident_id="inc-1", approval_id="apr-1"
    )


def make_node(ledger: OneApproval, *, desk: bool) -> Remediation:
    return Remediation(
        cast("IncidentLedger", None),
        cast("ApprovalLedger", ledger),
        None,
        None,
        desk=ledger if desk else None,
    )


def make_graph(ledger: OneApproval, *, desk: bool) -> Any:
    """Return a graph of the pause alone."""

    def after(state: IncidentState) -> Literal["await_approval", "__end__"]:
        return "__end__" if state.standing else "await_approval"

    builder = StateGraph(IncidentState)
    builder.add_node("await_approval", make_node(ledger, desk=desk).await_approval)
    builder.add_edge(START, "await_approval")
    builder.add_conditional_edges("await_approval", after)
    return builder.compile(checkpointer=InMemorySaver())


def shown(result: dict[str, Any]) -> dict[str, Any]:
    (interrupt,) = result["__interrupt__"]
    payload: dict[str, Any] = interrupt.value
    return payload


@pytest.mark.parametrize("answer", ["approve", {"decisions": [{"type": "approve"}]}, "nonsense", "wake"])
async def test_the_service_ignores_whatever_a_resume_carries(answer: Any) -> None:
    ledger = OneApproval()
    graph = make_graph(ledger, desk=False)

    first = shown(await graph.ainvoke(paused_state(), CONFIG))
    second = shown(await graph.ainvoke(Command(resume=answer), CONFIG))

    assert first == second
    assert ledger.answers == []


async def test_a_desk_takes_the_answer_and_the_ledger_decides() -> None:
    ledger = OneApproval()
    graph = make_graph(ledger, desk=True)
    await graph.ainvoke(paused_state(), CONFIG)

    result = await graph.ainvoke(Command(resume=[{"type": "accept", "args": None}]), CONFIG)

    assert ledger.answers == [PauseAnswer(kind="approve")]
    assert result["standing"] == "approved"


async def test_an_answer_that_cannot_be_read_leaves_the_pause_as_it_was() -> None:
    ledger = OneApproval()
    graph = make_graph(ledger, desk=True)
    await graph.ainvoke(paused_state(), CONFIG)

    with pytest.raises(ValidationError, match="is no answer"):
        await graph.ainvoke(Command(resume="nonsense"), CONFIG)
    result = await graph.ainvoke(Command(resume="approve"), CONFIG)

    assert ledger.answers == [PauseAnswer(kind="approve")]
    assert result["standing"] == "approved"


async def test_why_an_answer_was_not_taken_is_shown_at_the_next_pause() -> None:
    ledger = OneApproval()
    ledger.refusal = "the edit can't be proposed"
    graph = make_graph(ledger, desk=True)
    await graph.ainvoke(paused_state(), CONFIG)

    result = await graph.ainvoke(Command(resume="approve"), CONFIG)

    assert "Your answer was not taken: the edit can't be proposed" in shown(result)["description"]


async def test_an_answer_to_a_proposal_that_was_edited_meanwhile_is_not_taken_for_the_edited_one() -> None:
    ledger = OneApproval()
    graph = make_graph(ledger, desk=True)
    first = shown(await graph.ainvoke(paused_state(), CONFIG))
    ledger.approval_id = "apr-2"

    second = shown(await graph.ainvoke(Command(resume="approve"), CONFIG))

    assert (first["x_approval"]["id"], second["x_approval"]["id"]) == ("apr-1", "apr-2")
    assert ledger.answers == []


async def test_the_one_who_rejected_is_named_although_the_clock_was_set_back_before() -> None:
    ledger, now = OneApproval(), datetime.now(UTC)
    ledger.status = "rejected"
    ledger.decisions = (  # as their times order them
        Decision(by="bob", verdict="reject", reason="no", at=now - timedelta(days=1)),
        Decision(by="alice", verdict="approve", reason="", at=now),
    )

    update = await make_node(ledger, desk=False).await_approval(paused_state())

    assert update["failed_attempts"][-1].startswith("bob rejected the proposal")
