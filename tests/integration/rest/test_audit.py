"""The audit over REST: who approved what, seeing which diff, under which policy, and what happened then."""

from typing import Any

import pytest

from graph.domain.incident import Ending
from graph.domain.proposal import Proposal
from tests.integration.ledger.audits import tamper
from tests.integration.rest.rest_service import RestService
from tools.grants import Outcome


async def read(rest_service: RestService, who: str = "alice", **params: Any) -> list[dict[str, Any]]:
    answer = await rest_service.client.get("/v1/audit", params=params, headers=rest_service.as_(who))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def verify(rest_service: RestService) -> dict[str, Any]:
    answer = await rest_service.client.get("/v1/audit/verify", headers=rest_service.as_("alice"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def say(
    rest_service: RestService, proposal: Proposal, what: str, who: str = "alice", **body: Any
) -> None:
    path = f"/v1/approvals/{proposal.id}/{what}"
    answer = await rest_service.client.post(path, json=body, headers=rest_service.as_(who))
    assert answer.status_code == 201, answer.text


async def approve(rest_service: RestService, proposal: Proposal, who: str = "alice") -> None:
    await say(rest_service, proposal, "approve", who, digest=proposal.digest, reason="it ran last week")


async def claim(rest_service: RestService, proposal: Proposal) -> int:
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    await rest_service.ledger.approvals.claim(proposal.id, proposal.digest, epoch)
    return epoch


async def execute(rest_service: RestService, proposal: Proposal, outcome: Any) -> None:
    """Let the run carry out what was approved, as the executor does."""
    epoch = await claim(rest_service, proposal)
    await rest_service.ledger.approvals.record_intent(
        proposal.id, epoch, resource_version="41", generation=7, expected="e0"
    )
    await rest_service.ledger.approvals.record_outcome(
        proposal.id, epoch, Outcome(kind=outcome, detail="as told")
    )


async def end(rest_service: RestService, proposal: Proposal) -> None:
    """Let the run end as one ends whose outcome nobody knows."""
    epoch = await rest_service.ledger.incidents.begin_run(proposal.incident_id)
    ending = Ending(status="handed_over", reason="whether the patch was applied is unknown")
    await rest_service.ledger.incidents.finish(proposal.incident_id, epoch, ending, "# Report")


async def test_it_tells_who_approved_what_seeing_which_diff_under_which_policy_and_what_then(
    rest_service: RestService,
) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)
    await execute(rest_service, proposal, "applied")
    seen = (
        await rest_service.client.get(f"/v1/approvals/{proposal.id}", headers=rest_service.as_("alice"))
    ).json()

    rows = await read(rest_service, approval=proposal.id)

    told = [(row["actor"], row["action"]) for row in reversed(rows)]
    assert told == [
        ("mendgate", "proposed"),
        ("alice", "approved"),
        ("mendgate", "claimed"),
        ("mendgate", "intent"),
        ("mendgate", "outcome"),
    ]
    outcome, intent, _, approved, _ = (row["document"] for row in rows)
    assert approved["digest"] == seen["digest"]
    assert approved["diff"] == seen["diff"]
    assert approved["arguments"] == seen["arguments"]
    assert approved["policy_version"] == seen["policy_version"]
    assert (approved["reason"], approved["status"]) == ("it ran last week", "approved")
    assert (intent["resource_version"], intent["digest"]) == ("41", seen["digest"])
    assert (outcome["outcome"], outcome["detail"]) == ("applied", "as told")
    assert all(row["incident_id"] == proposal.incident_id for row in rows)
    assert (await verify(rest_service))["intact"]


async def test_each_seat_of_a_quorum_has_its_row(rest_service: RestService) -> None:
    proposal = await rest_service.propose(quorum=2)
    await approve(rest_service, proposal, "alice")
    await approve(rest_service, proposal, "bob")

    rows = await read(rest_service, action="approved")

    told = [(row["actor"], row["document"]["status"], row["document"]["quorum"]) for row in reversed(rows)]
    assert told == [("alice", "pending", 2), ("bob", "approved", 2)]


async def test_the_same_decision_again_leaves_no_second_row(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)
    again = await rest_service.client.post(
        f"/v1/approvals/{proposal.id}/approve",
        json={"digest": proposal.digest},
        headers=rest_service.as_("alice"),
    )

    assert again.status_code == 200
    assert len(await read(rest_service, action="approved")) == 1


async def test_an_edit_shows_who_replaced_which_proposal_by_which(rest_service: RestService) -> None:
    first = await rest_service.propose()
    edited = await rest_service.edit(first, by="bob")

    (replaced,) = await read(rest_service, approval=first.id, action="edited")
    (proposed,) = await read(rest_service, approval=edited.id)

    assert (replaced["actor"], replaced["document"]["successor"]) == ("bob", edited.id)
    assert replaced["document"]["diff"][0]["after"] == "nginx:1.25"
    assert (proposed["actor"], proposed["action"]) == ("bob", "proposed")
    assert proposed["document"]["diff"][0]["after"] == "nginx:1.26"


async def test_every_other_end_of_an_approval_has_its_row(rest_service: RestService) -> None:
    rejected, revoked, unknown = [await rest_service.propose() for _ in range(3)]
    await say(rest_service, rejected, "reject", reason="we roll back")
    await approve(rest_service, revoked)
    await say(rest_service, revoked, "revoke", "bob", reason="the wrong cluster")
    await approve(rest_service, unknown)
    await execute(rest_service, unknown, "unknown")
    await end(rest_service, unknown)
    await say(rest_service, unknown, "resolution", "bob", outcome="not_applied", reason="no annotation")
    superseded = await rest_service.propose()
    await rest_service.propose(incident_id=superseded.incident_id, image="nginx:1.24")

    rows = {row["action"]: row for row in await read(rest_service, limit=200)}

    assert (rows["rejected"]["actor"], rows["rejected"]["document"]["reason"]) == ("alice", "we roll back")
    assert (rows["revoked"]["actor"], rows["revoked"]["document"]["status"]) == ("bob", "revoked")
    assert (rows["resolved"]["actor"], rows["resolved"]["document"]["finding"]) == ("bob", "not_applied")
    assert (rows["superseded"]["actor"], rows["superseded"]["approval_id"]) == ("mendgate", superseded.id)
    assert (await verify(rest_service))["intact"]


async def test_stops_and_retries_have_their_rows(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.fail(incident_id, epoch, "the cluster is down")
    admin = rest_service.as_("admin")
    body = {"starts_at": "2026-12-24T00:00:00Z", "ends_at": "2026-12-27T00:00:00Z", "reason": "holidays"}
    await rest_service.client.post(f"/v1/incidents/{incident_id}/retry", headers=rest_service.as_("alice"))
    await rest_service.client.post("/v1/freezes", json=body, headers=admin)
    stop = {"engaged": True, "reason": "drill"}
    await rest_service.client.put("/v1/controls/kill-switch", json=stop, headers=admin)

    switch, freeze, retry, _ = await read(rest_service)

    assert (switch["actor"], switch["action"], switch["document"]) == ("admin", "kill_switch", stop)
    assert (freeze["actor"], freeze["action"]) == ("admin", "freeze_added")
    assert freeze["document"]["freeze"]["reason"] == "holidays"
    assert (retry["actor"], retry["action"], retry["incident_id"]) == ("alice", "retry", incident_id)


async def test_it_can_be_narrowed_down_and_paged(rest_service: RestService) -> None:
    first, second = await rest_service.propose(), await rest_service.propose()
    await approve(rest_service, first, "alice")
    await approve(rest_service, second, "bob")

    page = await rest_service.client.get("/v1/audit", params={"limit": 4}, headers=rest_service.as_("alice"))
    token = page.json()["continue"]

    assert [row["seq"] for row in page.json()["items"]] == [5, 4, 3, 2]
    assert [row["seq"] for row in await read(rest_service, **{"continue": token})] == [1]
    assert [row["approval_id"] for row in await read(rest_service, actor="bob")] == [second.id]
    assert {row["action"] for row in await read(rest_service, incident=first.incident_id)} == {
        "proposed",
        "approved",
    }
    assert await read(rest_service, actor="nobody") == []


@pytest.mark.parametrize(
    "params", [{"continue": "x"}, {"continue": "-1"}, {"continue": "9" * 30}, {"action": "won"}, {"limit": 0}]
)
async def test_what_no_list_understands_is_refused(rest_service: RestService, params: dict[str, Any]) -> None:
    answer = await rest_service.client.get("/v1/audit", params=params, headers=rest_service.as_("admin"))

    assert answer.status_code == 422, answer.text


async def test_an_altered_row_is_told_with_its_number(rest_service: RestService, database_url: str) -> None:
    proposal = await rest_service.propose()
    await approve(rest_service, proposal)

    await tamper(database_url, "UPDATE audit SET actor = 'bob' WHERE action = 'approved'")
    found = await verify(rest_service)

    assert (found["intact"], found["rows"]) == (False, 3)
    assert [(one["seq"], one["kind"]) for one in found["faults"]] == [(3, "rewritten")]
    await say(rest_service, await rest_service.propose(), "reject", reason="people can still say no")


async def test_without_its_key_it_answers_that_it_cannot_tell(rest_service: RestService) -> None:
    rest_service.store.path.with_name("audit.key").unlink()

    answer = await rest_service.client.get("/v1/audit/verify", headers=rest_service.as_("admin"))

    assert answer.status_code == 503
    assert "is gone: put it back" in answer.json()["detail"]
