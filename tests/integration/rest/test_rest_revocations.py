"""Taking an approval back: before its execution starts, never after."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from graph.domain.proposal import Proposal
from tests.integration.rest.rest_service import RestService
from tests.integration.rest.test_rest_approvals import approve, reject
from tools.grants import ClaimRefused, Grant


async def revoke(rest_service: RestService, proposal: Proposal, who: str = "alice") -> httpx.Response:
    path = f"/v1/approvals/{proposal.id}/revoke"
    return await rest_service.client.post(
        path, json={"reason": "we roll back"}, headers=rest_service.as_(who)
    )


async def claim(rest_service: RestService, proposal: Proposal) -> object:
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    return await rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch)


async def test_a_revoked_approval_cannot_be_executed(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)

    answer = await revoke(rest_service, proposal, "bob")
    again = await revoke(rest_service, proposal, "alice")

    assert (answer.status_code, answer.json()["status"]) == (201, "revoked")
    assert answer.json()["decisions"][-1]["by"] == "bob"
    assert again.status_code == 200
    assert rest_service.woken[-1] == proposal.incident_id
    with pytest.raises(ClaimRefused, match="revoked"):
        await claim(rest_service, proposal)


async def test_a_revoked_approval_cannot_be_given_again(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)
    await revoke(rest_service, proposal)

    assert (await approve(rest_service, proposal)).status_code == 410
    assert (await reject(rest_service, proposal)).status_code == 410


async def test_a_pending_approval_is_rejected_and_not_revoked(rest_service: RestService) -> None:
    proposal = await rest_service.propose()

    answer = await revoke(rest_service, proposal)

    assert answer.status_code == 409
    assert "reject it instead" in answer.json()["detail"]


async def test_what_is_being_executed_cannot_be_revoked(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)
    assert isinstance(await claim(rest_service, proposal), Grant)

    assert (await revoke(rest_service, proposal)).status_code == 409


async def test_an_approval_past_its_time_is_expired_and_not_revoked(rest_service: RestService) -> None:
    proposal = await rest_service.propose(execute_within=timedelta(0))
    await approve(rest_service, proposal)

    answer = await revoke(rest_service, proposal)

    assert answer.status_code == 410
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "expired"


async def test_of_a_claim_and_a_revocation_at_once_exactly_one_wins(rest_service: RestService) -> None:
    for _ in range(10):
        proposal = await rest_service.propose()
        await approve(rest_service, proposal)
        epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)

        claimed, revoked = await asyncio.gather(
            rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch),
            revoke(rest_service, proposal),
            return_exceptions=True,
        )

        assert isinstance(revoked, httpx.Response)
        assert isinstance(claimed, Grant) == (revoked.status_code == 409)
        assert isinstance(claimed, Grant) or revoked.status_code == 201


async def test_where_the_policy_says_so_the_editor_cannot_approve(rest_service: RestService) -> None:
    first = await rest_service.propose()
    second = await rest_service.edit(first, by="alice", own_approval=False)

    own = await approve(rest_service, second, "alice")
    others = await approve(rest_service, second, "bob")

    assert own.status_code == 403
    assert "somebody else must approve it" in own.json()["detail"]
    assert others.status_code == 201


async def test_an_editor_fills_one_seat_of_two(rest_service: RestService) -> None:
    second = await rest_service.edit(await rest_service.propose(), by="alice", quorum=2)

    mine = await approve(rest_service, second, "alice")
    again = await approve(rest_service, second, "alice")

    assert (mine.json()["status"], again.status_code, again.json()["status"]) == ("pending", 200, "pending")
    assert (await approve(rest_service, second, "bob")).json()["status"] == "approved"
