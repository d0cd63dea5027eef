"""Signing in to the page at a real OIDC provider: there and back, and nobody on somebody else's way."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.identity.authorization_code import CodeFlow
from api.identity.jwks import IssuerKeys
from api.identity.oidc import Issuer, IssuerSettings
from tests.integration.rest.gate import ROLES, Gate
from tests.issuer import AUDIENCE, ProviderProcess, run_provider

PEOPLE = ({"sub": "alice", "groups": ["sre"]}, {"sub": "mallory", "groups": []})


@pytest.fixture
async def provider() -> AsyncIterator[ProviderProcess]:
    async with run_provider(*PEOPLE) as provider:
        yield provider


def trust(gate: Gate, url: str) -> None:
    """Let people sign in at the provider."""
    keys = IssuerKeys(url, gate.client, gate.clock)
    issuer = Issuer(IssuerSettings(url, AUDIENCE, ROLES), keys, CodeFlow(keys, AUDIENCE, "any secret"))
    gate.rest_service.app.state.dependencies = replace(gate.rest_service.dependencies, issuer=issuer)


async def begin(gate: Gate, path: str = "/") -> httpx.URL:
    """Go to the issuer, as the browser is told to."""
    answer = await gate.rest_service.client.get("/login/issuer", params={"next": path})
    assert answer.status_code == 303, answer.text
    return httpx.URL(answer.headers["location"])


async def consent(way: httpx.URL, sub: str) -> dict[str, str]:
    """Sign in there, and return what the browser brings back."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(way, data={"sub": sub})
    back = httpx.URL(answer.headers["location"])
    assert back.path == "/login/callback"
    return dict(back.params)


async def come_back(gate: Gate, brought: dict[str, Any]) -> httpx.Response:
    return await gate.rest_service.client.get("/login/callback", params=brought)


async def test_who_signs_in_at_the_issuer_decides_under_their_own_name(
    gate: Gate, provider: ProviderProcess
) -> None:
    trust(gate, provider.url)
    proposal = await gate.rest_service.propose()
    form = (await gate.rest_service.client.get("/login")).text

    way = await begin(gate, f"/incidents/{proposal.incident_id}")
    answer = await come_back(gate, await consent(way, "alice"))
    me = (await gate.rest_service.client.get("/me")).text

    assert 'href="/login/issuer?next=/"' in form
    assert way.params["code_challenge_method"] == "S256"
    assert way.params["redirect_uri"] == "http://localhost/login/callback"
    assert (answer.status_code, answer.headers["location"]) == (303, f"/incidents/{proposal.incident_id}")
    assert "oidc:alice" in me


async def test_the_api_takes_no_session_from_there_either(gate: Gate, provider: ProviderProcess) -> None:
    trust(gate, provider.url)
    await come_back(gate, await consent(await begin(gate), "alice"))

    assert (await gate.rest_service.client.get("/v1/me")).status_code == 401


async def test_who_is_in_no_group_is_told_so_and_has_no_session(
    gate: Gate, provider: ProviderProcess
) -> None:
    trust(gate, provider.url)

    answer = await come_back(gate, await consent(await begin(gate), "mallory"))

    assert answer.status_code == 403
    assert "oidc:mallory is in no group" in answer.text
    assert (await gate.rest_service.client.get("/me")).status_code == 303


@pytest.mark.parametrize(
    "spoil",
    [
        {"state": "of another browser"},
        {"code": "made up"},
        {"code": ""},
        {"error": "access_denied", "code": ""},
    ],
)
async def test_what_did_not_come_of_this_browsers_own_sign_in_lets_nobody_in(
    gate: Gate, provider: ProviderProcess, spoil: dict[str, str]
) -> None:
    trust(gate, provider.url)
    brought = await consent(await begin(gate), "alice")

    answer = await come_back(gate, brought | spoil)

    assert answer.status_code == 401
    assert (await gate.rest_service.client.get("/me")).status_code == 303


async def test_a_code_without_a_sign_in_begun_here_lets_nobody_in(
    gate: Gate, provider: ProviderProcess
) -> None:
    trust(gate, provider.url)
    brought = await consent(await begin(gate), "alice")
    gate.rest_service.client.cookies.clear()

    assert (await come_back(gate, brought)).status_code == 401


async def test_a_token_that_was_made_for_another_sign_in_lets_nobody_in(
    gate: Gate, provider: ProviderProcess
) -> None:
    trust(gate, provider.url)
    way = await begin(gate)

    answer = await come_back(gate, await consent(way.copy_set_param("nonce", "another"), "alice"))

    assert answer.status_code == 401
    assert "another sign-in" in answer.text


async def test_each_sign_in_counts_once(gate: Gate, provider: ProviderProcess) -> None:
    trust(gate, provider.url)
    brought = await consent(await begin(gate), "alice")
    await come_back(gate, brought)

    assert (await come_back(gate, brought)).status_code == 401


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
async def test_nobody_is_sent_elsewhere_afterwards(
    gate: Gate, provider: ProviderProcess, wanted: str
) -> None:
    trust(gate, provider.url)

    answer = await come_back(gate, await consent(await begin(gate, wanted), "alice"))

    assert answer.headers["location"] == "/"


async def test_an_issuer_that_is_away_is_named_and_tokens_still_work(gate: Gate) -> None:
    trust(gate, "http://127.0.0.1:9")

    answer = await gate.rest_service.client.get("/login/issuer")

    assert answer.status_code == 503
    assert "can&#39;t sign anybody in now" in answer.text
    assert 'name="token"' in answer.text


async def test_without_a_client_at_an_issuer_there_is_no_such_way(gate: Gate) -> None:
    form = (await gate.rest_service.client.get("/login")).text
    answer = await gate.rest_service.client.get("/login/issuer")

    assert "/login/issuer" not in form
    assert answer.status_code == 422
    assert "MENDGATE_OIDC_CLIENT_ID" in answer.text
