"""JWTs of an OpenID Connect issuer: who is let in, what for, and under which name."""

import time
from typing import Any

import pytest

from tests.integration.rest.access import ALLOWED
from tests.integration.rest.gate import KEY, Gate, require_refused
from tests.issuer import MadeUpIssuer, SigningPair, run_provider


async def test_a_person_signed_in_at_a_real_provider_decides_under_their_own_name(gate: Gate) -> None:
    async with run_provider({"sub": "alice", "groups": ["staff", "sre"]}) as provider:
        gate.trust(provider.url)
        proposal = await gate.rest_service.propose()
        headers = {"Authorization": f"Bearer {await provider.sign_in('alice')}"}

        me = await gate.rest_service.client.get("/v1/me", headers=headers)
        decision = await gate.rest_service.client.post(
            f"/v1/approvals/{proposal.id}/approve", json={"digest": proposal.digest}, headers=headers
        )

    assert me.json() == {"name": "oidc:alice", "role": "approver"}
    assert decision.status_code == 201
    assert [said["by"] for said in decision.json()["decisions"]] == ["oidc:alice"]


async def test_a_person_without_a_group_is_known_and_may_nothing(gate: Gate) -> None:
    async with run_provider({"sub": "mallory", "groups": ["SRE", "sre "]}) as provider:
        gate.trust(provider.url)

        answer = await gate.ask(await provider.sign_in("mallory"))

    assert answer.status_code == 403
    assert "oidc:mallory is in no group" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("who", "group"), [("ingest", "robots"), ("viewer", "developers"), ("alice", "sre"), ("admin", "leads")]
)
async def test_a_jwt_opens_exactly_what_a_token_of_its_role_opens(
    gate: Gate, issuer: MadeUpIssuer, who: str, group: str
) -> None:
    token = KEY.sign(issuer.claims(groups=[group]))

    for (method, path), allowed in ALLOWED.items():
        answer = await gate.ask(token, method, path)

        assert answer.status_code not in {401, 503}, (path, answer.text)
        assert (answer.status_code == 403) is (who not in allowed), (path, answer.text)


async def test_no_path_answers_to_a_jwt_that_is_expired_foreign_or_in_no_group(
    gate: Gate, issuer: MadeUpIssuer
) -> None:
    expired = KEY.sign(issuer.claims(exp=int(time.time()) - 60, groups=["leads"]))
    foreign = SigningPair("k1").sign(issuer.claims(groups=["leads"]))
    nobody = KEY.sign(issuer.claims(groups=[]))

    for method, path in ALLOWED:
        require_refused(await gate.ask(expired, method, path))
        require_refused(await gate.ask(foreign, method, path))
        assert (await gate.ask(nobody, method, path)).status_code == 403, path


async def test_without_an_issuer_no_path_answers_to_a_jwt(gate: Gate) -> None:
    token = KEY.sign({"sub": "alice", "groups": ["leads"]})

    for method, path in ALLOWED:
        require_refused(await gate.ask(token, method, path))


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["developers", "leads", "sre"], "admin"),
        (["robots", "developers"], "viewer"),
        (["robots"], "ingest"),
        ("sre", "approver"),
        (["sre", 1, None, {"leads": 1}, ["leads"]], "approver"),
    ],
)
async def test_the_highest_role_of_all_groups_counts(
    gate: Gate, issuer: MadeUpIssuer, groups: Any, role: str
) -> None:
    answer = await gate.ask(KEY.sign(issuer.claims(groups=groups)))

    assert answer.json() == {"name": "oidc:7f3a", "role": role}


@pytest.mark.parametrize(
    "groups",
    [None, [], "", "sre leads", "sre,leads", {"sre": True}, 7, True, [["sre"]], ["Sre"], ["sre\u200b"]],
)
async def test_what_is_no_group_of_ours_gives_no_role(gate: Gate, issuer: MadeUpIssuer, groups: Any) -> None:
    assert (await gate.ask(KEY.sign(issuer.claims(groups=groups)))).status_code == 403


async def test_groups_may_stand_in_another_claim(gate: Gate, issuer: MadeUpIssuer) -> None:
    gate.trust(issuer.url, groups_claim="https://example.com/teams")
    claims = issuer.claims(**{"groups": ["leads"], "https://example.com/teams": ["developers"]})

    assert (await gate.ask(KEY.sign(claims))).json()["role"] == "viewer"


@pytest.mark.parametrize(
    "sub",
    ["alice@example.com", "auth0|5f7c8ec7c33c6c004bbafe82", "system:serviceaccount:ci:deploy", "a" * 200],
)
async def test_a_subject_is_the_name_on_the_record(gate: Gate, issuer: MadeUpIssuer, sub: str) -> None:
    assert (await gate.ask(KEY.sign(issuer.claims(sub=sub)))).json()["name"] == f"oidc:{sub}"


@pytest.mark.parametrize(
    "sub",
    [
        "", " ", "alice bob", "alice\n", "al\x1b[31mice", "張偉", "\u0430lice", "alice\u202e", "a" * 201,
        "<b>alice</b>", "`alice`", "[alice](x)", "*", "@alice", ":alice", "a\\b", "alice\x00",
    ],
)  # fmt: skip
async def test_a_subject_that_could_mislead_a_reader_is_no_name(
    gate: Gate, issuer: MadeUpIssuer, sub: str
) -> None:
    answer = await gate.ask(KEY.sign(issuer.claims(sub=sub)))

    assert answer.status_code == 403
    assert "claim sub can't be a name" in answer.json()["detail"]


async def test_a_jwt_never_speaks_under_the_name_of_a_token_of_ours(gate: Gate, issuer: MadeUpIssuer) -> None:
    proposal = await gate.rest_service.propose(quorum=2)
    path, body = f"/v1/approvals/{proposal.id}/approve", {"digest": proposal.digest}
    theirs = {"Authorization": f"Bearer {KEY.sign(issuer.claims(sub='alice'))}"}

    await gate.rest_service.client.post(path, json=body, headers=gate.rest_service.as_("alice"))
    approval = (await gate.rest_service.client.post(path, json=body, headers=theirs)).json()

    assert [said["by"] for said in approval["decisions"]] == ["alice", "oidc:alice"]


async def test_one_person_fills_one_seat_however_many_tokens_they_have(
    gate: Gate, issuer: MadeUpIssuer
) -> None:
    gate.trust(issuer.url, name_claim="email")
    proposal = await gate.rest_service.propose(quorum=2)
    path, body = f"/v1/approvals/{proposal.id}/approve", {"digest": proposal.digest}

    for number, email in enumerate(("alice@example.com", "Alice@Example.com")):
        token = KEY.sign(issuer.claims(email=email, email_verified=True, jti=str(number)))
        answer = await gate.rest_service.client.post(
            path, json=body, headers={"Authorization": f"Bearer {token}"}
        )

    assert answer.json()["status"] == "pending"
    assert [said["by"] for said in answer.json()["decisions"]] == ["oidc:alice@example.com"]


@pytest.mark.parametrize("verified", [None, False, "true", 1])
async def test_an_email_that_nobody_has_verified_is_no_name(
    gate: Gate, issuer: MadeUpIssuer, verified: Any
) -> None:
    gate.trust(issuer.url, name_claim="email")
    claims = issuer.claims(email="alice@example.com", email_verified=verified)

    answer = await gate.ask(KEY.sign(claims))

    assert answer.status_code == 403
    assert "hasn't verified" in answer.json()["detail"]


async def test_an_email_in_letters_that_only_look_alike_is_no_name(gate: Gate, issuer: MadeUpIssuer) -> None:
    gate.trust(issuer.url, name_claim="email")
    claims = issuer.claims(email="\N{KELVIN SIGN}ate@example.com", email_verified=True)

    assert (await gate.ask(KEY.sign(claims))).status_code == 403


async def test_a_name_claim_that_is_missing_is_no_name(gate: Gate, issuer: MadeUpIssuer) -> None:
    gate.trust(issuer.url, name_claim="preferred_username")

    assert (await gate.ask(KEY.sign(issuer.claims()))).status_code == 403


async def test_claims_in_other_writings_do_no_harm(gate: Gate, issuer: MadeUpIssuer) -> None:
    claims = issuer.claims(name="Ünïcødé 張偉 \U0001f9d1", groups=["sre", "группа"], locale="zh-CN")

    assert (await gate.ask(KEY.sign(claims))).json() == {"name": "oidc:7f3a", "role": "approver"}
