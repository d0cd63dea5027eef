"""The wall clock jumps. Windows don't care; expiries follow it; no record names the wrong person."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from checkpoints.approvals.decisions import AlreadyDecided, ApprovalGone
from graph.cluster.verification import Verifier
from tests.clocks import Clock
from tests.faults.faulty_service import open_faulty_service
from tests.integration.rest.rest_service import open_rest_service
from tests.unit.graph.cluster.test_verification import HEALTHY, PlayedCluster, ignore, plan

DAY = timedelta(days=1)


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_a_jump_during_verification_neither_shortens_nor_stretches_its_window(
    clock: Clock, jump: timedelta
) -> None:
    class Watched(PlayedCluster):
        looks = 0

        async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, object]:
            self.looks += 1
            clock.offset += jump
            return await super().get(kind, name, namespace)

    cluster, began = Watched(HEALTHY), time.monotonic()
    verification = await Verifier(cluster, interval_seconds=0.01).verify(plan(0.05, 60), ignore)

    assert verification.verdict == "verified"
    assert time.monotonic() - began >= 0.05
    assert verification.stable_seconds < 60


async def test_a_jump_forward_beyond_the_time_to_decide_expires_the_proposal(
    clock: Clock, tmp_path: Path
) -> None:
    async with open_faulty_service(tmp_path) as ward:
        await ward.begin()
        incident = await ward.reach("awaiting_approval")
        clock.offset = DAY
        with pytest.raises(ApprovalGone):
            await ward.approve_now(incident.approval_ids[-1])
        ward.service.runner.wake(ward.incident_id)
        await ward.reach("expired")

    assert ward.sandbox.writes == []


async def test_a_jump_back_after_the_proposal_holds_nothing_up(clock: Clock, tmp_path: Path) -> None:
    async with open_faulty_service(tmp_path) as ward:
        await ward.begin()
        await ward.reach("awaiting_approval")
        clock.offset = -DAY
        await ward.approve()
        incident = await ward.reach("resolved")
        audit = await ward.service.ledger.audit.verify()

    assert incident.verdict == "verified"
    assert len(ward.sandbox.writes) == 1
    assert audit.intact, audit


async def test_after_a_jump_back_the_one_who_rejected_is_named_and_not_the_one_who_approved_before(
    clock: Clock, tmp_path: Path
) -> None:
    async with open_rest_service(tmp_path) as rest_service:
        proposal = await rest_service.propose(quorum=2)
        decide = rest_service.ledger.decisions.decide
        await decide(proposal.id, by="alice", verdict="approve", digest=proposal.digest, reason="")
        clock.offset = -DAY
        await decide(proposal.id, by="bob", verdict="reject", digest=None, reason="no")

        with pytest.raises(AlreadyDecided, match="bob chose to reject"):
            await decide(proposal.id, by="carol", verdict="approve", digest=proposal.digest, reason="")
