"""Decisions that arrive at once: one truth comes out, whoever was first."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from checkpoints.approvals.decisions import AlreadyDecided
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.proposal import Proposal
from tests.integration.rest.rest_service import SEED, RestService
from tools.grants import ClaimRefused, Grant


async def decide(rest_service: RestService, proposal: Proposal, who: str, verb: str) -> int:
    body = {"digest": proposal.digest, "reason": f"{verb} says {who}"}
    path = f"/v1/approvals/{proposal.id}/{verb}"
    return (await rest_service.client.post(path, json=body, headers=rest_service.as_(who))).status_code


async def test_two_approvers_at_once_record_one_approval(rest_service: RestService) -> None:
    proposal = await rest_service.propose()

    codes = await asyncio.gather(
        *(decide(rest_service, proposal, who, "approve") for who in ("alice", "bob"))
    )

    approval = await rest_service.ledger.approvals.find(proposal.id)
    assert sorted(codes) == [200, 201]
    assert (approval.status, len(approval.decisions)) == ("approved", 1)
    assert rest_service.woken == [proposal.incident_id]


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_one_person_many_times_at_once_records_one_decision(
    rest_service: RestService, verb: str
) -> None:
    proposal = await rest_service.propose()

    codes = await asyncio.gather(*(decide(rest_service, proposal, "alice", verb) for _ in range(10)))

    assert sorted(codes) == [200] * 9 + [201]
    assert len((await rest_service.ledger.approvals.find(proposal.id)).decisions) == 1


async def test_opposite_decisions_at_once_have_one_winner(rest_service: RestService) -> None:
    for _ in range(10):
        proposal = await rest_service.propose()

        codes = await asyncio.gather(
            decide(rest_service, proposal, "alice", "approve"),
            decide(rest_service, proposal, "bob", "reject"),
        )

        approval = await rest_service.ledger.approvals.find(proposal.id)
        assert sorted(codes) == [201, 409]
        assert approval.status == ("approved" if codes[0] == 201 else "rejected")
        assert len(approval.decisions) == 1


async def test_a_quorum_at_once_counts_each_approver_once(rest_service: RestService) -> None:
    proposal = await rest_service.propose(quorum=2)

    codes = await asyncio.gather(
        *(decide(rest_service, proposal, who, "approve") for who in ("alice", "bob", "alice", "bob"))
    )

    approval = await rest_service.ledger.approvals.find(proposal.id)
    assert sorted(codes) == [200, 200, 201, 201]
    assert (approval.status, len(approval.decisions)) == ("approved", 2)


async def test_an_edit_and_an_approval_at_once_have_one_winner(rest_service: RestService) -> None:
    for _ in range(10):
        proposal = await rest_service.propose()

        code, edited = await asyncio.gather(
            decide(rest_service, proposal, "alice", "approve"),
            rest_service.edit(proposal, by="bob"),
            return_exceptions=True,
        )

        approval = await rest_service.ledger.approvals.find(proposal.id)
        if isinstance(edited, Proposal):
            assert (code, approval.status, approval.superseded_by) == (409, "superseded", edited.id)
            assert (await rest_service.ledger.approvals.find(edited.id)).decisions == ()
        else:
            assert isinstance(edited, AlreadyDecided)
            assert (code, approval.status) == (201, "approved")


async def test_a_decision_and_its_expiry_at_once_have_one_winner(rest_service: RestService) -> None:
    for number in range(10):
        proposal = await rest_service.propose(decide_within=timedelta(milliseconds=number))

        code, expired = await asyncio.gather(
            decide(rest_service, proposal, "alice", "approve"), rest_service.ledger.approvals.expire()
        )

        approval = await rest_service.ledger.approvals.find(proposal.id)
        if code == 201:
            assert (approval.status, expired) == ("approved", [])
            assert approval.decisions[0].at < approval.decide_by
        else:
            assert (code, approval.status, approval.decisions) == (410, "expired", ())


async def test_a_claim_and_the_expiry_at_once_have_one_winner(rest_service: RestService) -> None:
    for number in range(10):
        proposal = await rest_service.propose(execute_within=timedelta(milliseconds=10 * number))
        await approve(rest_service.ledger, proposal, "alice")
        epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)

        claimed, _ = await asyncio.gather(
            rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch),
            rest_service.ledger.approvals.expire(),
            return_exceptions=True,
        )

        status = (await rest_service.ledger.approvals.find(proposal.id)).status
        if isinstance(claimed, Grant):
            assert status == "executing"
        else:
            assert isinstance(claimed, ClaimRefused)
            assert status in {"expired", "approved"}


async def test_a_kill_switch_at_once_with_an_approval_leaves_nothing_claimable(
    rest_service: RestService,
) -> None:
    proposal = await rest_service.propose()
    body = {"engaged": True, "reason": "stop"}
    stop = rest_service.client.put("/v1/controls/kill-switch", json=body, headers=rest_service.as_("admin"))

    code, stopped = await asyncio.gather(decide(rest_service, proposal, "alice", "approve"), stop)

    assert stopped.status_code == 200
    assert code in {201, 423}
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    with pytest.raises(ClaimRefused):
        await rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch)


async def test_two_processes_decide_on_one_database_as_one(
    rest_service: RestService, database_url: str, tmp_path: Path
) -> None:
    async with open_ledger(database_url, tmp_path / "audit.key") as other:
        for _ in range(5):
            proposal = await rest_service.propose()

            results = await asyncio.gather(
                approve(rest_service.ledger, proposal, "alice"),
                reject(other, proposal, "bob"),
                return_exceptions=True,
            )

            assert sum(isinstance(result, AlreadyDecided) for result in results) == 1
            assert len((await other.approvals.find(proposal.id)).decisions) == 1


async def test_two_claims_at_once_hold_one_grant_per_epoch(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service.ledger, proposal, "alice")
    old = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    new = await rest_service.ledger.incidents.begin_run(proposal.incident_id)

    results = await asyncio.gather(
        *(rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch) for epoch in (old, new)),
        return_exceptions=True,
    )

    assert not isinstance(results[0], Grant)
    assert isinstance(results[1], Grant)


async def test_one_delivery_many_times_at_once_opens_one_incident(rest_service: RestService) -> None:
    raw = SEED.read_bytes()

    answers = await asyncio.gather(
        *(
            rest_service.client.post("/alert", content=raw, headers=rest_service.as_("ingest"))
            for _ in range(10)
        )
    )

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["incident_ids"][0] for answer in answers}) == 1
    assert sum(answer.json()["new_alerts"] for answer in answers) == 3
    assert len((await rest_service.ledger.incidents.page()).items) == 1


async def approve(ledger: Ledger, proposal: Proposal, who: str) -> None:
    await ledger.decisions.decide(proposal.id, by=who, verdict="approve", digest=proposal.digest, reason="")


async def reject(ledger: Ledger, proposal: Proposal, who: str) -> None:
    await ledger.decisions.decide(proposal.id, by=who, verdict="reject", digest=None, reason="no")
