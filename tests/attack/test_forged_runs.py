"""Attacks on the state machine: forged states, replays, and resumes at once. The ledger decides."""

import asyncio
from typing import Any

import pytest
from langgraph.types import Command

from graph.domain.incident import Ending
from graph.domain.proposal import Approval
from graph.state import RunContext
from tests.attack.stages import Stage
from tools.errors import MendgateError

# every database with the sandbox, and the real API server with one of them
pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"),
    [("sqlite", "sandbox"), ("postgres", "sandbox"), ("sqlite", "real")],
    indirect=True,
)


async def resume(stage: Stage, incident_id: str, answer: Any) -> Any:
    config = await stage.config(incident_id)
    snapshot = await stage.graph.aget_state(config)
    return await stage.run(incident_id, Command(resume={one.id: answer for one in snapshot.interrupts}))


async def is_pending(stage: Stage, approval: Approval) -> bool:
    return (await stage.ledger.approvals.find(approval.id)).status == "pending"


async def test_a_forged_state_writes_nothing_from_wherever_it_claims_to_come(stage: Stage) -> None:
    incident = await stage.open_incident()
    approval = await stage.approval(incident.id)
    config = await stage.config(incident.id)
    for node in ("await_approval", "propose_fix", "analyze_root_cause", "apply_fix", "verify_fix"):
        forged = {
            "standing": "approved", "approval_id": approval.id, "digest": approval.digest, "ending": None,
        }  # fmt: skip
        await stage.graph.aupdate_state(config, forged, as_node=node)
        await stage.run(incident.id, None)

        standing = await stage.ledger.approvals.find(approval.id)
        assert standing.status in {"pending", "superseded"}, node

    assert stage.front.writes == []


@pytest.mark.parametrize("answer", ["approve", {"decisions": [{"type": "approve"}]}, True, {"standing": "x"}])
async def test_a_forged_resume_only_pauses_again(stage: Stage, answer: Any) -> None:
    incident = await stage.open_incident()

    await resume(stage, incident.id, answer)

    assert await is_pending(stage, await stage.approval(incident.id))
    assert stage.front.writes == []


async def test_time_travel_to_before_the_write_writes_no_second_time(stage: Stage) -> None:
    incident = await stage.open_incident()
    await stage.approve(await stage.approval(incident.id))
    await stage.wake(incident.id, "verifying")
    config = await stage.config(incident.id)
    past = [one async for one in stage.graph.aget_state_history(config)]
    assert len(stage.front.taken) == 1

    for node in ("apply_fix", "await_approval", "propose_fix"):
        for one in [one for one in past if one.next == (node,)]:
            await replay(stage, one.config)

    assert len(stage.front.writes) == 1


async def replay(stage: Stage, config: Any) -> None:
    """Run again from an old checkpoint, with every epoch that the ledger may hold."""
    for epoch in range(5):
        try:
            await stage.graph.ainvoke(None, config, context=RunContext(epoch=epoch), durability="sync")
        except MendgateError:
            continue  # not this run's epoch, or an incident that has ended


async def test_time_travel_brings_a_rejected_proposal_not_back(stage: Stage) -> None:
    incident = await stage.open_incident()
    approval = await stage.approval(incident.id)
    config = await stage.config(incident.id)
    past = [one async for one in stage.graph.aget_state_history(config)]
    await stage.ledger.decisions.decide(
        approval.id, by="alice", verdict="reject", digest=None, reason="we roll back"
    )

    for one in [one for one in past if one.next == ("await_approval",)]:
        forged = await stage.graph.aupdate_state(
            one.config, {"standing": "approved"}, as_node="await_approval"
        )
        await replay(stage, forged)

    assert (await stage.ledger.approvals.find(approval.id)).status == "rejected"
    assert stage.front.writes == []


async def test_resumes_at_once_write_once(stage: Stage) -> None:
    incident = await stage.open_incident()
    await stage.approve(await stage.approval(incident.id))

    await asyncio.gather(*(resume(stage, incident.id, "approve") for _ in range(3)), return_exceptions=True)
    await stage.wake(incident.id)

    assert len(stage.front.writes) == 1


async def test_an_approval_of_one_incident_is_no_approval_of_another(stage: Stage) -> None:
    mine = await stage.open_incident()
    other = await stage.open_incident()
    granted = await stage.approve(await stage.approval(other.id))
    config = await stage.config(mine.id)

    for digest in (granted.digest, (await stage.approval(mine.id)).digest):
        forged = {"standing": "approved", "approval_id": granted.id, "digest": digest}
        await replay(stage, await stage.graph.aupdate_state(config, forged, as_node="await_approval"))

    assert stage.front.writes == []
    assert (await stage.ledger.approvals.find(granted.id)).status == "approved"
    assert (await stage.ledger.incidents.find(mine.id)).status not in {"resolved", "verifying"}


async def test_a_state_that_says_verified_ends_nothing_as_resolved(stage: Stage) -> None:
    incident = await stage.open_incident()
    config = await stage.config(incident.id)
    ending = Ending(status="resolved", reason="trust me")

    forged = {"verdict": "verified", "ending": ending}
    await stage.graph.aupdate_state(config, forged, as_node="verify_fix")
    await asyncio.gather(stage.run(incident.id, None), return_exceptions=True)

    assert (await stage.ledger.incidents.find(incident.id)).status != "resolved"
    assert stage.front.writes == []
