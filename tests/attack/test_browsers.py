"""What a web page elsewhere can make a browser do: nothing here, and no answer for it to read."""

from pathlib import Path
from typing import Any

import pytest

from api.serving.app import create_app
from tests.integration.rest.access import ALLOWED
from tests.integration.rest.rest_service import RestService

CHANGES = [(method, path) for method, path in ALLOWED if method != "GET"]
PROBLEM = "application/problem+json"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Name one database: a request is turned away before anything is read."""
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:10000", "localhost.evil.example", "127.0.0.1.evil.example",
        "localhost.", "evil@localhost", "localhost@evil.example", "localhost:80:80", "localhost/", "0x7f.1",
        "2130706433", "[::1", "[evil]", "", "loc\u0430lhost",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/approvals", "/healthz", "/openapi.json", "/nowhere"])
async def test_a_rebound_name_is_answered_by_nothing(rest_service: RestService, host: str, path: str) -> None:
    bearer = rest_service.as_("admin")["Authorization"]

    answer = await rest_service.client.get(
        path, headers={b"Authorization": bearer.encode(), b"Host": host.encode()}
    )

    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert "MENDGATE_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:10000", "127.0.0.1:10000", "[::1]:10000", "10.1.2.3", "mendgate.svc:80"]
)
async def test_its_own_names_and_bare_addresses_are_answered(rest_service: RestService, host: str) -> None:
    rest_service.client._transport.app = create_app(rest_service.dependencies, ["Mendgate.svc"])  # type: ignore[attr-defined]  # httpx's own type hides it

    answer = await rest_service.client.get("/v1/me", headers=rest_service.as_("alice") | {"Host": host})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost.evil.example"}, {"Origin": "localhost"},
        {"Origin": "file://localhost"}, {"Origin": ""}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)  # fmt: skip
async def test_another_sites_page_changes_nothing_even_with_a_token(
    rest_service: RestService, sent: dict[str, str]
) -> None:
    proposal = await rest_service.propose()

    for method, path in CHANGES:
        there = path.replace("apr-x", proposal.id).replace("inc-x", proposal.incident_id)
        body = {"digest": proposal.digest, "reason": "x", "engaged": True}
        answer = await rest_service.client.request(
            method, there, json=body, headers=rest_service.as_("admin") | sent
        )
        assert (answer.status_code, answer.headers["content-type"]) == (403, PROBLEM), there
        assert [name for name in answer.headers if name.startswith("access-control-")] == []

    assert (await rest_service.ledger.approvals.find(proposal.id)).status == "pending"
    assert rest_service.woken == []


@pytest.mark.parametrize(
    "sent",
    [{}, {"Origin": "http://localhost"}, {"Origin": "https://localhost"}, {"Sec-Fetch-Site": "same-origin"}],
)
async def test_programs_and_its_own_pages_may(rest_service: RestService, sent: dict[str, str]) -> None:
    proposal = await rest_service.propose()

    answer = await rest_service.client.post(
        f"/v1/approvals/{proposal.id}/reject", json={"reason": "x"}, headers=rest_service.as_("alice") | sent
    )

    assert answer.status_code == 201


@pytest.mark.parametrize(("method", "path"), ALLOWED)
async def test_no_page_is_told_that_it_may_ask(rest_service: RestService, method: str, path: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": method}

    preflight = await rest_service.client.options(path, headers=asked)
    read = await rest_service.client.get(path, headers=rest_service.as_("admin") | asked)

    assert preflight.status_code == 405
    for answer in (preflight, read):
        assert [name for name in answer.headers if name.startswith("access-control-")] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_counts_as_a_bearer_and_nowhere_else(rest_service: RestService, method: str) -> None:
    token = rest_service.tokens["admin"]
    elsewhere: list[dict[str, Any]] = [
        {"cookies": {"token": token}}, {"cookies": {"Authorization": f"Bearer {token}"}},
        {"params": {"access_token": token}}, {"params": {"token": token}}, {"headers": {"X-Api-Key": token}},
        {"headers": {"Authorization": f"Basic {token}"}}, {"headers": {"Authorization": token}},
    ]  # fmt: skip
    if method == "POST":
        elsewhere.append({"data": {"access_token": token}})

    for sent in elsewhere:
        headers = {**sent.pop("headers", {})}
        if cookies := sent.pop("cookies", None):
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        path = "/v1/approvals" if method == "GET" else "/alert"
        assert (await rest_service.client.request(method, path, headers=headers, **sent)).status_code == 401
