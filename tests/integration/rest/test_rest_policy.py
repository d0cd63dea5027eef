"""The policy over REST: who may approve, what stops it, and which policy is in force."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.policy import parse_policy
from tests.integration.rest.rest_service import RestService, open_rest_service

POLICY = parse_policy(
    "name: strict\nfreezes: [{name: forever, start: 2020-01-01, end: 2120-01-01, reason: we moved on}]",
    "policy.yaml",
)


@pytest.fixture
async def frozen(tmp_path: Path) -> AsyncIterator[RestService]:
    async with open_rest_service(tmp_path, policy=POLICY) as rest_service:
        yield rest_service


async def test_who_is_not_among_the_approvers_gets_403_with_their_names(rest_service: RestService) -> None:
    proposal = await rest_service.propose(rule="few", approvers=("bob", "role:admin"))
    path, body = f"/v1/approvals/{proposal.id}/approve", {"digest": proposal.digest}

    refused = await rest_service.client.post(path, json=body, headers=rest_service.as_("alice"))
    by_role = await rest_service.client.post(path, json=body, headers=rest_service.as_("admin"))

    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:mendgate:problem:not-an-approver"
    assert "rule few names bob, role:admin" in refused.json()["detail"]
    assert refused.json()["approval"]["approvers"] == ["bob", "role:admin"]
    assert by_role.status_code == 201
    assert by_role.json()["status"] == "approved"


async def test_a_quorum_takes_distinct_people(rest_service: RestService) -> None:
    proposal = await rest_service.propose(quorum=2)
    path, body = f"/v1/approvals/{proposal.id}/approve", {"digest": proposal.digest}

    first = await rest_service.client.post(path, json=body, headers=rest_service.as_("alice"))
    again = await rest_service.client.post(path, json=body, headers=rest_service.as_("alice"))
    second = await rest_service.client.post(path, json=body, headers=rest_service.as_("bob"))

    assert [answer.status_code for answer in (first, again, second)] == [201, 200, 201]
    assert [one.json()["status"] for one in (first, again, second)] == ["pending", "pending", "approved"]


async def test_a_freeze_of_the_policy_answers_423_and_lets_reject(frozen: RestService) -> None:
    proposal = await frozen.propose()
    path, body = f"/v1/approvals/{proposal.id}", {"digest": proposal.digest}

    refused = await frozen.client.post(f"{path}/approve", json=body, headers=frozen.as_("alice"))
    rejected = await frozen.client.post(f"{path}/reject", json={"reason": "no"}, headers=frozen.as_("alice"))

    assert refused.status_code == 423
    assert "the policy's freeze forever" in refused.json()["detail"]
    assert rejected.status_code == 201


async def test_freezes_of_both_kinds_are_listed_and_told_apart(frozen: RestService) -> None:
    window = {"starts_at": "2100-01-01T00:00:00Z", "ends_at": "2100-01-02T00:00:00Z", "reason": "party"}
    added = await frozen.client.post("/v1/freezes", json=window, headers=frozen.as_("admin"))

    listed = (await frozen.client.get("/v1/freezes", headers=frozen.as_("viewer"))).json()["items"]

    assert [(one["id"], one["source"], one["reason"]) for one in listed] == [
        ("policy:forever", "policy", "we moved on"),
        (added.json()["id"], "ledger", "party"),
    ]


async def test_a_freeze_can_be_corrected_and_ended_early_and_the_audit_keeps_it(
    rest_service: RestService,
) -> None:
    proposal = await rest_service.propose()
    admin, decide = rest_service.as_("admin"), f"/v1/approvals/{proposal.id}/approve"
    window = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2100-01-02T00:00:00Z", "reason": "a sale"}
    added = (await rest_service.client.post("/v1/freezes", json=window, headers=admin)).json()
    path = f"/v1/freezes/{added['id']}"

    stopped = await rest_service.client.post(
        decide, json={"digest": proposal.digest}, headers=rest_service.as_("alice")
    )
    changed = await rest_service.client.put(path, json=window | {"namespaces": ["shop-*"]}, headers=admin)
    elsewhere = await rest_service.client.get("/v1/policy", params={"namespace": "default"}, headers=admin)
    there = await rest_service.client.get("/v1/policy", params={"namespace": "shop-eu"}, headers=admin)
    ended = await rest_service.client.post(f"{path}/end", json={"reason": "over"}, headers=admin)
    again = await rest_service.client.post(f"{path}/end", json={"reason": "over"}, headers=admin)
    approved = await rest_service.client.post(
        decide, json={"digest": proposal.digest}, headers=rest_service.as_("alice")
    )
    rows = (await rest_service.client.get("/v1/audit", headers=admin)).json()["items"]

    assert (stopped.status_code, approved.status_code) == (423, 201)
    assert (changed.json()["namespaces"], changed.json()["by"]) == (["shop-*"], "admin")
    assert elsewhere.json()["stopped_by"] is None
    assert "a sale" in there.json()["stopped_by"]
    assert (ended.status_code, again.status_code) == (200, 409)
    assert again.json()["type"] == "urn:mendgate:problem:freeze-unchangeable"
    assert [row["action"] for row in rows if "freeze" in row["action"]] == [
        "freeze_ended", "freeze_changed", "freeze_added",
    ]  # fmt: skip


async def test_freezes_that_are_unknown_or_the_policys_are_not_changed(frozen: RestService) -> None:
    admin, body = frozen.as_("admin"), {"reason": "over"}

    unknown = await frozen.client.post("/v1/freezes/frz-none/end", json=body, headers=admin)
    of_policy = await frozen.client.post("/v1/freezes/policy:forever/end", json=body, headers=admin)

    assert unknown.status_code == 404
    assert of_policy.status_code == 409
    assert "change it in the policy's file" in of_policy.json()["detail"]


async def test_viewers_read_which_policy_is_in_force_and_what_stops_writes(frozen: RestService) -> None:
    answer = await frozen.client.get("/v1/policy", headers=frozen.as_("viewer"))
    unknown = await frozen.client.get("/v1/policy")

    assert answer.json()["policy_version"] == POLICY.version
    assert "forever" in answer.json()["stopped_by"]
    assert answer.json()["writes_last_hour"] == 0
    assert unknown.status_code == 401
