"""Decisions over REST carry exactly the codes of the approval gate."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from graph.incident import Ending
from graph.proposal import Proposal
from tests.integration.rest.house import House
from tools.executor import Grant

PROBLEM = "application/problem+json"


async def approve(house: House, proposal: Proposal, who: str = "alice", **body: Any) -> httpx.Response:
    path = f"/v1/approvals/{proposal.id}/approve"
    document = {"digest": proposal.digest} | body
    return await house.client.post(path, json=document, headers=house.as_(who))


async def reject(
    house: House, proposal: Proposal, who: str = "alice", reason: str = "no", **body: Any
) -> httpx.Response:
    path = f"/v1/approvals/{proposal.id}/reject"
    return await house.client.post(path, json={"reason": reason} | body, headers=house.as_(who))


async def set_kill_switch(house: House, *, engaged: bool) -> None:
    answer = await house.client.put(
        "/v1/controls/kill-switch", json={"engaged": engaged, "reason": "drill"}, headers=house.as_("admin")
    )
    assert answer.status_code == 200


async def test_an_approval_shows_the_exact_call_with_its_digest_as_etag(house: House) -> None:
    proposal = await house.propose()

    answer = await house.client.get(f"/v1/approvals/{proposal.id}", headers=house.as_("viewer"))

    shown = answer.json()
    assert answer.headers["etag"] == f'"{proposal.digest}"'
    assert shown["digest"] == proposal.digest
    assert shown["arguments"] == proposal.arguments.as_json()
    assert shown["diff"][0]["before"] == "nginx:1.25-"
    assert shown["target"] == {"kind": "Deployment", "namespace": "default", "name": "nginx-deployment"}
    assert (shown["status"], shown["decisions"], shown["execute_by"]) == ("pending", [], None)


async def test_an_approval_is_recorded_in_the_name_of_the_token_and_wakes_the_run(house: House) -> None:
    proposal = await house.propose()

    answer = await approve(house, proposal, reason="it ran last week")

    assert answer.status_code == 201, answer.text
    approval = answer.json()
    assert approval["status"] == "approved"
    assert approval["execute_by"] is not None
    assert [(one["by"], one["verdict"], one["reason"]) for one in approval["decisions"]] == [
        ("alice", "approve", "it ran last week")
    ]
    assert house.woken == [proposal.incident_id]


async def test_a_name_in_the_body_is_refused(house: House) -> None:
    proposal = await house.propose()

    answer = await approve(house, proposal, by="bob")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/by"


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_the_same_decision_again_records_nothing_new(house: House, who: str) -> None:
    proposal = await house.propose()
    await approve(house, proposal)

    again = await approve(house, proposal, who)

    assert again.status_code == 200
    assert len(again.json()["decisions"]) == 1
    assert house.woken == [proposal.incident_id]


async def test_the_same_rejection_again_records_nothing_new(house: House) -> None:
    proposal = await house.propose()
    await reject(house, proposal)

    again = await reject(house, proposal)

    assert again.status_code == 200
    assert again.json()["status"] == "rejected"


@pytest.mark.parametrize("header", ['"{}"', "{}"])
async def test_the_digest_may_come_as_if_match(house: House, header: str) -> None:
    proposal = await house.propose()
    headers = house.as_("alice") | {"If-Match": header.format(proposal.digest)}

    answer = await house.client.post(f"/v1/approvals/{proposal.id}/approve", headers=headers)

    assert answer.status_code == 201


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}, {"If-Match": ""}])
async def test_an_approval_without_a_digest_is_refused(house: House, headers: dict[str, str]) -> None:
    proposal = await house.propose()

    answer = await house.client.post(
        f"/v1/approvals/{proposal.id}/approve", json={}, headers=house.as_("alice") | headers
    )

    assert (answer.status_code, answer.headers["content-type"]) == (428, PROBLEM)
    assert (await house.ledger.approvals.find(proposal.id)).status == "pending"


async def test_without_a_digest_even_what_stands_already_is_refused(house: House) -> None:
    proposal = await house.propose()
    await approve(house, proposal)

    assert (await approve(house, proposal, digest=None)).status_code == 428


@pytest.mark.parametrize("decide", [approve, reject])
async def test_another_digest_is_refused(house: House, decide: Any) -> None:
    proposal = await house.propose()

    answer = await decide(house, proposal, digest="0" * 64)

    assert answer.status_code == 412
    assert answer.json()["approval"]["digest"] == proposal.digest
    assert house.woken == []


async def test_two_digests_that_differ_are_refused(house: House) -> None:
    proposal = await house.propose()
    headers = house.as_("alice") | {"If-Match": f'"{proposal.digest}"'}

    answer = await house.client.post(
        f"/v1/approvals/{proposal.id}/approve", json={"digest": "0" * 64}, headers=headers
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/digest"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  \n"}, {"reason": None}])
async def test_a_rejection_needs_a_reason(house: House, body: dict[str, Any]) -> None:
    proposal = await house.propose()

    answer = await house.client.post(
        f"/v1/approvals/{proposal.id}/reject", json=body, headers=house.as_("alice")
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/reason"


async def test_a_rejection_feeds_its_reason_back(house: House) -> None:
    proposal = await house.propose()

    answer = await reject(house, proposal, reason=" we want 1.26 ")

    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["outcome"]) == ("rejected", "we want 1.26")
    assert house.woken == [proposal.incident_id]


async def test_the_opposite_decision_names_the_winner(house: House) -> None:
    proposal = await house.propose()
    await reject(house, proposal, "bob")

    answer = await approve(house, proposal)

    assert answer.status_code == 409
    assert "bob" in answer.json()["detail"]
    assert answer.json()["approval"]["decisions"][0]["by"] == "bob"


async def test_a_superseded_proposal_names_its_successor(house: House) -> None:
    first = await house.propose()
    second = await house.propose(incident_id=first.incident_id, image="nginx:1.26")

    answer = await approve(house, first)

    assert answer.status_code == 409
    assert second.id in answer.json()["detail"]
    assert answer.json()["approval"]["superseded_by"] == second.id


@pytest.mark.parametrize("decide", [approve, reject])
async def test_a_decision_after_the_time_is_gone_and_the_expiry_is_kept(house: House, decide: Any) -> None:
    proposal = await house.propose(decide_within=timedelta(seconds=-1))

    answer = await decide(house, proposal)

    assert answer.status_code == 410
    assert "nobody decided by" in answer.json()["detail"]
    assert (await house.ledger.approvals.find(proposal.id)).status == "expired"
    assert (await decide(house, proposal)).status_code == 410


async def test_a_stop_keeps_approvals_off_but_never_rejections(house: House) -> None:
    proposal = await house.propose()
    await set_kill_switch(house, engaged=True)

    stopped = await approve(house, proposal)
    rejected = await reject(house, proposal)

    assert stopped.status_code == 423
    assert "admin: drill" in stopped.json()["detail"]
    assert rejected.status_code == 201


async def test_a_stop_that_is_over_stops_nothing(house: House) -> None:
    proposal = await house.propose()
    await set_kill_switch(house, engaged=True)
    await set_kill_switch(house, engaged=False)

    assert (await approve(house, proposal)).status_code == 201


async def test_a_freeze_keeps_approvals_off(house: House) -> None:
    proposal = await house.propose()
    now = datetime.now(UTC)
    body = {
        "starts_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
        "reason": "release week",
    }
    added = await house.client.post("/v1/freezes", json=body, headers=house.as_("admin"))

    answer = await approve(house, proposal)

    assert added.status_code == 201
    assert answer.status_code == 423
    assert "release week" in answer.json()["detail"]


@pytest.mark.parametrize("who", ["viewer", "ingest"])
async def test_only_an_approver_decides(house: House, who: str) -> None:
    proposal = await house.propose()

    assert (await approve(house, proposal, who)).status_code == 403
    assert (await reject(house, proposal, who)).status_code == 403
    assert (await house.ledger.approvals.find(proposal.id)).decisions == ()


async def test_an_unknown_approval_is_not_found(house: House) -> None:
    body = {"digest": "0" * 64, "reason": "x"}
    for verb in ("approve", "reject"):
        answer = await house.client.post(
            f"/v1/approvals/apr-none/{verb}", json=body, headers=house.as_("alice")
        )
        assert answer.status_code == 404

    assert (await house.client.get("/v1/approvals/apr-none", headers=house.as_("alice"))).status_code == 404


async def test_an_approval_that_is_being_executed_cannot_be_rejected(house: House) -> None:
    proposal = await house.propose()
    await approve(house, proposal)
    epoch = await house.ledger.incidents.begin_run(proposal.incident_id)
    assert isinstance(await house.ledger.approvals.claim(proposal.id, proposal.digest, epoch), Grant)

    answer = await reject(house, proposal, "bob")

    assert answer.status_code == 409
    assert answer.json()["approval"]["status"] == "executing"


async def test_two_approvers_fill_a_quorum_of_two_and_one_does_not(house: House) -> None:
    proposal = await house.propose(quorum=2)

    first = await approve(house, proposal, "alice")
    again = await approve(house, proposal, "alice")
    second = await approve(house, proposal, "bob")

    assert (first.status_code, first.json()["status"]) == (201, "pending")
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    assert (second.status_code, second.json()["status"]) == (201, "approved")


async def test_who_has_approved_may_still_reject_while_others_are_awaited(house: House) -> None:
    proposal = await house.propose(quorum=2)
    await approve(house, proposal, "alice")

    answer = await reject(house, proposal, "alice")

    assert (answer.status_code, answer.json()["status"]) == (201, "rejected")
    assert (await approve(house, proposal, "bob")).status_code == 409


async def test_an_ended_incident_leaves_no_approval_standing(house: House) -> None:
    proposal = await house.propose()
    epoch = await house.ledger.incidents.begin_run(proposal.incident_id)
    ending = Ending(status="handed_over", reason="the cluster changed")
    await house.ledger.incidents.finish(proposal.incident_id, epoch, ending, "# Report")

    assert (await approve(house, proposal)).status_code == 409


async def test_approvals_are_listed_newest_first_by_status_and_namespace(house: House) -> None:
    incident_id = await house.open_incident()
    proposals = [await house.propose(incident_id=incident_id, image=f"nginx:1.{n}") for n in range(5)]
    await approve(house, proposals[-1])

    async def ids(**query: str) -> list[str]:
        answer = await house.client.get("/v1/approvals", params=query, headers=house.as_("viewer"))
        return [item["id"] for item in answer.json()["items"]]

    assert await ids() == [proposal.id for proposal in reversed(proposals)]
    assert await ids(status="approved") == [proposals[-1].id]
    assert await ids(namespace="elsewhere") == []
    assert len(await ids(namespace="default", limit="2")) == 2


async def test_pages_of_a_list_join_without_gap_or_overlap(house: House) -> None:
    proposals = [await house.propose() for _ in range(5)]
    seen: list[str] = []
    token: str | None = None

    while True:
        query = {"limit": "2"} | ({"continue": token} if token else {})
        answer = await house.client.get("/v1/approvals", params=query, headers=house.as_("viewer"))
        seen += [item["id"] for item in answer.json()["items"]]
        token = answer.json()["continue"]
        if token is None:
            break

    assert seen == [proposal.id for proposal in reversed(proposals)]


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "201"}, {"status": "maybe"}, {"continue": "x"}, {"continue": "MjAyNg=="}],
)
async def test_a_query_that_makes_no_sense_is_refused(house: House, query: dict[str, str]) -> None:
    answer = await house.client.get("/v1/approvals", params=query, headers=house.as_("viewer"))

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert next(iter(query)) in answer.json()["detail"]
