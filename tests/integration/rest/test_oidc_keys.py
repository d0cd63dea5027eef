"""The issuer's keys: asked for when they are needed, kept in an outage, and never for too long."""

import asyncio
from typing import Any

import pytest
from jwt.algorithms import ECAlgorithm

from api.identity.jwks import ASK_AGAIN_SECONDS, FRESH_SECONDS, KEPT_SECONDS
from tests.integration.rest.gate import KEY, RSA, Gate, require_refused
from tests.issuer import MadeUpIssuer, SigningPair, run_provider

FETCH = ["/.well-known/openid-configuration", "/jwks"]


async def test_people_go_on_while_the_provider_is_down_until_its_keys_are_too_old(gate: Gate) -> None:
    async with run_provider({"sub": "alice", "groups": ["sre"]}) as provider:
        gate.trust(provider.url)
        token = await provider.sign_in("alice")
        assert (await gate.ask(token)).status_code == 200
        await provider.stop()

        gate.clock.now += KEPT_SECONDS
        in_time = await gate.ask(token)
        gate.clock.now += ASK_AGAIN_SECONDS
        too_late = await gate.ask(token)

    assert in_time.status_code == 200
    assert too_late.status_code == 503
    assert too_late.headers["content-type"] == "application/problem+json"
    assert too_late.json()["type"] == "urn:mendgate:problem:issuer-unavailable"
    assert "try again" in too_late.json()["detail"]


async def test_a_provider_that_comes_back_with_new_keys_is_heard_and_its_old_ones_are_forgotten(
    gate: Gate,
) -> None:
    async with run_provider({"sub": "alice", "groups": ["sre"]}) as provider:
        gate.trust(provider.url)
        old = await provider.sign_in("alice")
        assert (await gate.ask(old)).status_code == 200
        await provider.stop()
        await provider.start()
        gate.clock.now += ASK_AGAIN_SECONDS

        answers = [await gate.ask(token) for token in (await provider.sign_in("alice"), old)]

    assert [answer.status_code for answer in answers] == [200, 401]


async def test_without_an_answer_since_the_start_only_our_own_tokens_work(gate: Gate) -> None:
    gate.trust("http://127.0.0.1:9")
    token = KEY.sign({"sub": "alice"})

    answer = await gate.ask(token)
    ours = await gate.ask(gate.rest_service.tokens["alice"])

    assert (answer.status_code, ours.status_code) == (503, 200)


async def test_the_keys_are_asked_for_once_by_all_who_wait_and_then_kept(
    gate: Gate, issuer: MadeUpIssuer
) -> None:
    token = KEY.sign(issuer.claims())

    answers = await asyncio.gather(*(gate.ask(token) for _ in range(20)))
    gate.clock.now += FRESH_SECONDS
    later = await gate.ask(token)

    assert {answer.status_code for answer in (*answers, later)} == {200}
    assert issuer.asked == FETCH


async def test_a_withdrawn_key_counts_no_longer_once_the_keys_are_asked_for_again(
    gate: Gate, issuer: MadeUpIssuer
) -> None:
    token = KEY.sign(issuer.claims())
    assert (await gate.ask(token)).status_code == 200
    issuer.keys = [RSA.jwk]

    gate.clock.now += FRESH_SECONDS + 1

    require_refused(await gate.ask(token))


async def test_tokens_with_unknown_keys_do_not_flood_the_issuer(gate: Gate, issuer: MadeUpIssuer) -> None:
    assert (await gate.ask(KEY.sign(issuer.claims()))).status_code == 200
    new = SigningPair("new")
    issuer.keys = [new.jwk]
    token = new.sign(issuer.claims())

    too_soon = [await gate.ask(token) for _ in range(5)]
    asked = list(issuer.asked)
    gate.clock.now += ASK_AGAIN_SECONDS
    then = await gate.ask(token)

    assert {answer.status_code for answer in too_soon} == {401}
    assert asked == FETCH
    assert then.status_code == 200
    assert issuer.asked == FETCH * 2


async def test_a_key_without_a_name_is_found_by_trying(gate: Gate, issuer: MadeUpIssuer) -> None:
    nameless = {name: value for name, value in KEY.jwk.items() if name != "kid"}
    issuer.keys = [SigningPair("other").jwk, nameless]

    named, plain = [await gate.ask(KEY.sign(issuer.claims(), kid=kid)) for kid in ("k1", None)]

    require_refused(named)
    assert plain.status_code == 200


@pytest.mark.parametrize(
    "spoilt",
    [
        {"use": "enc"},
        {"alg": "ECDH-ES"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"key_ops": ["encrypt"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"crv": "P-384"},
        {"crv": ["P-256"]},
        {"x": "AAAA"},
    ],
)
async def test_a_key_that_is_not_there_to_verify_is_passed_over(
    gate: Gate, issuer: MadeUpIssuer, spoilt: dict[str, Any]
) -> None:
    issuer.keys = [RSA.jwk, {**KEY.jwk, **spoilt}, None, 7, {}, {"kty": None}]

    require_refused(await gate.ask(KEY.sign(issuer.claims())))
    assert (await gate.ask(RSA.sign(issuer.claims()))).status_code == 200


async def test_a_private_key_shown_to_everybody_proves_nothing(gate: Gate, issuer: MadeUpIssuer) -> None:
    issuer.keys = [
        RSA.jwk,
        {**ECAlgorithm.to_jwk(KEY.private, as_dict=True), "kid": "k1", "key_ops": ["verify"]},
    ]

    require_refused(await gate.ask(KEY.sign(issuer.claims())))
    assert (await gate.ask(RSA.sign(issuer.claims()))).status_code == 200


async def test_a_short_rsa_key_does_not_count(gate: Gate, issuer: MadeUpIssuer) -> None:
    short = SigningPair("short", "RS256", bits=1024)
    issuer.keys = [short.jwk]

    with pytest.warns(match="1024 bits"):
        token = short.sign(issuer.claims())

    require_refused(await gate.ask(token))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"status": 500},
        {"status": 302, "headers": {"location": "/elsewhere"}},
        {"body": b"<html>Sign in</html>"},
        {"body": b"[]"},
        {"body": b"{}"},
        {"body": b"[" * 100_000},
        {"discovery": {"padding": "x" * 1_000_000}},
        {"body": b"\xff\xfe"},
        {"keys": []},
        {"keys": [None, {"kty": "oct", "k": "c2VjcmV0"}]},
        {"discovery": {"issuer": "https://login.example.org"}},
        {"discovery": {"jwks_uri": "http://login.example.org/jwks"}},
        {"discovery": {"jwks_uri": "file:///etc/passwd"}},
        {"discovery": {"jwks_uri": "http://[::1"}},
        {"discovery": {"jwks_uri": "https://"}},
        {"discovery": {"jwks_uri": "https://127.0.0.1:9/jwks"}},
        {"discovery": {"jwks_uri": None}},
        {"headers": {"content-length": "7000"}},
        {"headers": {"content-encoding": "gzip"}},
    ],
)
async def test_an_issuer_with_a_useless_answer_is_out_of_order_and_then_asked_again(
    gate: Gate, issuer: MadeUpIssuer, spoilt: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: getattr(issuer, name) for name in spoilt}
    vars(issuer).update(spoilt)
    token = KEY.sign(issuer.claims())

    broken = [await gate.ask(token) for _ in range(2)]
    asked = len(issuer.asked)
    vars(issuer).update(before)
    gate.clock.now += ASK_AGAIN_SECONDS
    fixed_by = await gate.ask(token)

    assert [answer.status_code for answer in broken] == [503, 503]
    assert asked <= len(FETCH)
    assert f"the OIDC issuer {issuer.url} has no usable keys" in caplog.text
    assert token not in caplog.text
    assert fixed_by.status_code == 200


@pytest.mark.parametrize(
    "address", ["http://login.example.org/jwks", "http://10.0.0.1/jwks", "ftp://localhost/"]
)
async def test_keys_are_not_fetched_over_a_line_on_which_they_could_be_changed(
    gate: Gate, issuer: MadeUpIssuer, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.discovery = {"jwks_uri": address}

    answer = await gate.ask(KEY.sign(issuer.claims()))

    assert answer.status_code == 503
    assert f"its keys are at '{address}', which isn't https" in caplog.text


@pytest.mark.parametrize("drop", [b"", b"x"])
async def test_an_issuer_that_never_finishes_its_answer_holds_nobody_up_for_long(
    gate: Gate, issuer: MadeUpIssuer, drop: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.identity.jwks.ANSWER_SECONDS", 0.5)
    issuer.drop = drop

    answers = await asyncio.gather(*(gate.ask(KEY.sign(issuer.claims())) for _ in range(5)))

    assert {answer.status_code for answer in answers} == {503}
    assert issuer.asked == FETCH[:1]


async def test_a_useless_answer_does_not_spoil_the_keys_of_before(gate: Gate, issuer: MadeUpIssuer) -> None:
    token = KEY.sign(issuer.claims())
    assert (await gate.ask(token)).status_code == 200
    issuer.keys = []

    gate.clock.now += FRESH_SECONDS + 1
    known = await gate.ask(token)
    unknown = await gate.ask(SigningPair("new").sign(issuer.claims()))

    assert (known.status_code, unknown.status_code) == (200, 503)
