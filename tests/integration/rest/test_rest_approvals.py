"""Decisions over REST carry exactly the codes of the approval gate."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from graph.domain.incident import Ending
from graph.domain.proposal import Proposal
from tests.integration.rest.rest_service import RestService
from tools.grants import Grant

PROBLEM = "application/problem+json"


async def approve(
    rest_service: RestService, proposal: Proposal, who: str = "alice", **body: Any
) -> httpx.Response:
    path = f"/v1/approvals/{proposal.id}/approve"
    document = {"digest": proposal.digest} | body
    return await rest_service.client.post(path, json=document, headers=rest_service.as_(who))


async def reject(
    rest_service: RestService, proposal: Proposal, who: str = "alice", reason: str = "no", **body: Any
) -> httpx.Response:
    path = f"/v1/approvals/{proposal.id}/reject"
    return await rest_service.client.post(path, json={"reason": reason} | body, headers=rest_service.as_(who))


async def set_kill_switch(rest_service: RestService, *, engaged: bool) -> None:
    answer = await rest_service.client.put(
        "/v1/controls/kill-switch",
        json={"engaged": engaged, "reason": "drill"},
        headers=rest_service.as_("admin"),
    )
    assert answer.status_code == 200


async def test_an_approval_shows_the_exact_call_with_its_digest_as_etag(rest_service: RestService) -> None:
    proposal = await rest_service.propose()

    answer = await rest_service.client.get(f"/v1/approvals/{proposal.id}", headers=rest_service.as_("viewer"))

    shown = answer.json()
    assert answer.headers["etag"] == f'"{proposal.digest}"'
    assert shown["digest"] == proposal.digest
    assert shown["arguments"] == proposal.arguments.as_json()
    assert shown["diff"][0]["before"] == "nginx:1.25-"
    assert shown["target"] == {"kind": "Deployment", "namespace": "default", "name": "nginx-deployment"}
    assert (shown["status"], shown["decisions"], shown["execute_by"]) == ("pending", [], None)


async def test_an_approval_is_recorded_in_the_name_of_the_token_and_wakes_the_run(
    rest_service: RestService,
) -> None:
    proposal = await rest_service.propose()

    answer = await approve(rest_service, proposal, reason="it ran last week")

    assert answer.status_code == 201, answer.text
    approval = answer.json()
    assert approval["status"] == "approved"
    assert approval["execute_by"] is not None
    assert [(one["by"], one["verdict"], one["reason"]) for one in approval["decisions"]] == [
        ("alice", "approve", "it ran last week")
    ]
    assert rest_service.woken == [proposal.incident_id]


async def test_a_name_in_the_body_is_refused(rest_service: RestService) -> None:
    proposal = await rest_service.propose()

    answer = await approve(rest_service, proposal, by="bob")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/by"


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_the_same_decision_again_records_nothing_new(rest_service: RestService, who: str) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)

    again = await approve(rest_service, proposal, who)

    assert again.status_code == 200
    assert len(again.json()["decisions"]) == 1
    assert rest_service.woken == [proposal.incident_id]


async def test_the_same_rejection_again_records_nothing_new(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await reject(rest_service, proposal)

    again = await reject(rest_service, proposal)

    assert again.status_code == 200
    assert again.json()["status"] == "rejected"


@pytest.mark.parametrize("header", ['"{}"', "{}"])
async def test_the_digest_may_come_as_if_match(rest_service: RestService, header: str) -> None:
    proposal = await rest_service.propose()
    headers = rest_service.as_("alice") | {"If-Match": header.format(proposal.digest)}

    answer = await rest_service.client.post(f"/v1/approvals/{proposal.id}/approve", headers=headers)

    assert answer.status_code == 201


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}, {"If-Match": ""}])
async def test_an_approval_without_a_digest_is_refused(
    rest_service: RestService, headers: dict[str, str]
) -> None:
    proposal = await rest_service.propose()

    answer = await rest_service.client.post(
        f"/v1/approvals/{proposal.id}/approve", json={}, headers=rest_service.as_("alice") | headers
    )

    assert (answer.status_code, answer.headers["content-type"]) == (428, PROBLEM)
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"


async def test_without_a_digest_even_what_stands_already_is_refused(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)

    assert (await approve(rest_service, proposal, digest=None)).status_code == 428


@pytest.mark.parametrize("decide", [approve, reject])
async def test_another_digest_is_refused(rest_service: RestService, decide: Any) -> None:
    proposal = await rest_service.propose()

    answer = await decide(rest_service, proposal, digest="0" * 64)

    assert answer.status_code == 412
    assert answer.json()["approval"]["digest"] == proposal.digest
    assert rest_service.woken == []


async def test_two_digests_that_differ_are_refused(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    headers = rest_service.as_("alice") | {"If-Match": f'"{proposal.digest}"'}

    answer = await rest_service.client.post(
        f"/v1/approvals/{proposal.id}/approve", json={"digest": "0" * 64}, headers=headers
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/digest"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  \n"}, {"reason": None}])
async def test_a_rejection_needs_a_reason(rest_service: RestService, body: dict[str, Any]) -> None:
    proposal = await rest_service.propose()

    answer = await rest_service.client.post(
        f"/v1/approvals/{proposal.id}/reject", json=body, headers=rest_service.as_("alice")
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/reason"


async def test_a_rejection_feeds_its_reason_back(rest_service: RestService) -> None:
    proposal = await rest_service.propose()

    answer = await reject(rest_service, proposal, reason=" we want 1.26 ")

    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["outcome"]) == ("rejected", "we want 1.26")
    assert rest_service.woken == [proposal.incident_id]


async def test_the_opposite_decision_names_the_winner(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await reject(rest_service, proposal, "bob")

    answer = await approve(rest_service, proposal)

    assert answer.status_code == 409
    assert "bob" in answer.json()["detail"]
    assert answer.json()["approval"]["decisions"][0]["by"] == "bob"


async def test_a_superseded_proposal_names_its_successor(rest_service: RestService) -> None:
    first = await rest_service.propose()
    second = await rest_service.propose(incident_id=first.incident_id, image="nginx:1.26")

    answer = await approve(rest_service, first)

    assert answer.status_code == 409
    assert second.id in answer.json()["detail"]
    assert answer.json()["approval"]["superseded_by"] == second.id


@pytest.mark.parametrize("decide", [approve, reject])
async def test_a_decision_after_the_time_is_gone_and_the_expiry_is_kept(
    rest_service: RestService, decide: Any
) -> None:
    proposal = await rest_service.propose(decide_within=timedelta(seconds=-1))

    answer = await decide(rest_service, proposal)

    assert answer.status_code == 410
    assert "nobody decided by" in answer.json()["detail"]
    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "expired"
    assert (await decide(rest_service, proposal)).status_code == 410


async def test_a_stop_keeps_approvals_off_but_never_rejections(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await set_kill_switch(rest_service, engaged=True)

    stopped = await approve(rest_service, proposal)
    rejected = await reject(rest_service, proposal)

    assert stopped.status_code == 423
    assert "admin: drill" in stopped.json()["detail"]
    assert rejected.status_code == 201


async def test_a_stop_that_is_over_stops_nothing(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await set_kill_switch(rest_service, engaged=True)
    await set_kill_switch(rest_service, engaged=False)

    assert (await approve(rest_service, proposal)).status_code == 201


async def test_a_freeze_keeps_approvals_off(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    now = datetime.now(UTC)
    body = {
        "starts_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
        "reason": "release week",
    }
    added = await rest_service.client.post("/v1/freezes", json=body, headers=rest_service.as_("admin"))

    answer = await approve(rest_service, proposal)

    assert added.status_code == 201
    assert answer.status_code == 423
    assert "release week" in answer.json()["detail"]


@pytest.mark.parametrize("who", ["viewer", "ingest"])
async def test_only_an_approver_decides(rest_service: RestService, who: str) -> None:
    proposal = await rest_service.propose()

    assert (await approve(rest_service, proposal, who)).status_code == 403
    assert (await reject(rest_service, proposal, who)).status_code == 403
    assert (await rest_service.ledger.approvals.find(proposal.id)).decisions == ()


async def test_an_unknown_approval_is_not_found(rest_service: RestService) -> None:
    body = {"digest": "0" * 64, "reason": "x"}
    for verb in ("approve", "reject"):
        answer = await rest_service.client.post(
            f"/v1/approvals/apr-none/{verb}", json=body, headers=rest_service.as_("alice")
        )
        assert answer.status_code == 404

    assert (
        await rest_service.client.get("/v1/approvals/apr-none", headers=rest_service.as_("alice"))
    ).status_code == 404


async def test_an_approval_that_is_being_executed_cannot_be_rejected(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    assert isinstance(await rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch), Grant)

    answer = await reject(rest_service, proposal, "bob")

    assert answer.status_code == 409
    assert answer.json()["approval"]["status"] == "executing"


async def test_two_approvers_fill_a_quorum_of_two_and_one_does_not(rest_service: RestService) -> None:
    proposal = await rest_service.propose(quorum=2)

    first = await approve(rest_service, proposal, "alice")
    again = await approve(rest_service, proposal, "alice")
    second = await approve(rest_service, proposal, "bob")

    assert (first.status_code, first.json()["status"]) == (201, "pending")
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    assert (second.status_code, second.json()["status"]) == (201, "approved")


async def test_who_has_approved_may_still_reject_while_others_are_awaited(rest_service: RestService) -> None:
    proposal = await rest_service.propose(quorum=2)
    await approve(rest_service, proposal, "alice")

    answer = await reject(rest_service, proposal, "alice")

    assert (answer.status_code, answer.json()["status"]) == (201, "rejected")
    assert (await approve(rest_service, proposal, "bob")).status_code == 409


async def test_an_ended_incident_leaves_no_approval_standing(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    ending = Ending(status="handed_over", reason="the cluster changed")
    await rest_service.ledger.incidents.finish(proposal.incident_id, epoch, ending, "# Report")

    assert (await approve(rest_service, proposal)).status_code == 409


async def test_approvals_are_listed_newest_first_by_status_and_namespace(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    proposals = [await rest_service.propose(incident_id=incident_id, image=f"nginx:1.{n}") for n in range(5)]
    await approve(rest_service, proposals[-1])

    async def ids(**query: str) -> list[str]:
        answer = await rest_service.client.get(
            "/v1/approvals", params=query, headers=rest_service.as_("viewer")
        )
        return [item["id"] for item in answer.json()["items"]]

    assert await ids() == [proposal.id for proposal in reversed(proposals)]
    assert await ids(status="approved") == [proposals[-1].id]
    assert await ids(namespace="elsewhere") == []
    assert len(await ids(namespace="default", limit="2")) == 2


async def test_pages_of_a_list_join_without_gap_or_overlap(rest_service: RestService) -> None:
    proposals = [await rest_service.propose() for _ in range(5)]
    seen: list[str] = []
    token: str | None = None

    while True:
        query = {"limit": "2"} | ({"continue": token} if token else {})
        answer = await rest_service.client.get(
            "/v1/approvals", params=query, headers=rest_service.as_("viewer")
        )
        seen += [item["id"] for item in answer.json()["items"]]
        token = answer.json()["continue"]
        if token is None:
            break

    assert seen == [proposal.id for proposal in reversed(proposals)]


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "201"}, {"status": "maybe"}, {"continue": "x"}, {"continue": "MjAyNg=="}],
)
async def test_a_query_that_makes_no_sense_is_refused(
    rest_service: RestService, query: dict[str, str]
) -> None:
    answer = await rest_service.client.get("/v1/approvals", params=query, headers=rest_service.as_("viewer"))

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert next(iter(query)) in answer.json()["detail"]
