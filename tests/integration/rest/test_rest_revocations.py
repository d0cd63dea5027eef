"""Taking an approval back: before its execution starts, never after."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from graph.proposal import Proposal
from tests.integration.rest.house import House
from tests.integration.rest.test_rest_approvals import approve, reject
from tools.executor import ClaimRefused, Grant


async def revoke(house: House, proposal: Proposal, who: str = "alice") -> httpx.Response:
    path = f"/v1/approvals/{proposal.id}/revoke"
    return await house.client.post(path, json={"reason": "we roll back"}, headers=house.as_(who))


async def claim(house: House, proposal: Proposal) -> object:
    epoch = await house.ledger.incidents.begin_run(proposal.incident_id)
    return await house.ledger.approvals.claim(proposal.id, proposal.digest, epoch)


async def test_a_revoked_approval_cannot_be_executed(house: House) -> None:
    proposal = await house.propose()
    await approve(house, proposal)

    answer = await revoke(house, proposal, "bob")
    again = await revoke(house, proposal, "alice")

    assert (answer.status_code, answer.json()["status"]) == (201, "revoked")
    assert answer.json()["decisions"][-1]["by"] == "bob"
    assert again.status_code == 200
    assert house.woken[-1] == proposal.incident_id
    with pytest.raises(ClaimRefused, match="revoked"):
        await claim(house, proposal)


async def test_a_revoked_approval_cannot_be_given_again(house: House) -> None:
    proposal = await house.propose()
    await approve(house, proposal)
    await revoke(house, proposal)

    assert (await approve(house, proposal)).status_code == 410
    assert (await reject(house, proposal)).status_code == 410


async def test_a_pending_approval_is_rejected_and_not_revoked(house: House) -> None:
    proposal = await house.propose()

    answer = await revoke(house, proposal)

    assert answer.status_code == 409
    assert "reject it instead" in answer.json()["detail"]


async def test_what_is_being_executed_cannot_be_revoked(house: House) -> None:
    proposal = await house.propose()
    await approve(house, proposal)
    assert isinstance(await claim(house, proposal), Grant)

    assert (await revoke(house, proposal)).status_code == 409


async def test_an_approval_past_its_time_is_expired_and_not_revoked(house: House) -> None:
    proposal = await house.propose(execute_within=timedelta(0))
    await approve(house, proposal)

    answer = await revoke(house, proposal)

    assert answer.status_code == 410
    assert (await house.ledger.approvals.find(proposal.id)).status == "expired"


async def test_of_a_claim_and_a_revocation_at_once_exactly_one_wins(house: House) -> None:
    for _ in range(10):
        proposal = await house.propose()
        await approve(house, proposal)
        epoch = await house.ledger.incidents.begin_run(proposal.incident_id)

        claimed, revoked = await asyncio.gather(
            house.ledger.approvals.claim(proposal.id, proposal.digest, epoch),
            revoke(house, proposal),
            return_exceptions=True,
        )

        assert isinstance(revoked, httpx.Response)
        assert isinstance(claimed, Grant) == (revoked.status_code == 409)
        assert isinstance(claimed, Grant) or revoked.status_code == 201


async def test_where_the_policy_says_so_the_editor_cannot_approve(house: House) -> None:
    first = await house.propose()
    second = await house.edit(first, by="alice", own_approval=False)

    own = await approve(house, second, "alice")
    others = await approve(house, second, "bob")

    assert own.status_code == 403
    assert "somebody else must approve it" in own.json()["detail"]
    assert others.status_code == 201


async def test_an_editor_fills_one_seat_of_two(house: House) -> None:
    second = await house.edit(await house.propose(), by="alice", quorum=2)

    mine = await approve(house, second, "alice")
    again = await approve(house, second, "alice")

    assert (mine.json()["status"], again.status_code, again.json()["status"]) == ("pending", 200, "pending")
    assert (await approve(house, second, "bob")).json()["status"] == "approved"
