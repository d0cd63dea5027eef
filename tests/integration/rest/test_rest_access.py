"""Who may knock: every path, every role, and nothing without a token."""

import re
from pathlib import Path

import pytest

from tests.integration.rest.access import ALLOWED
from tests.integration.rest.rest_service import RestService

NAMES = {"inc": "incident_id", "apr": "approval_id", "frz": "freeze_id"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Name one database: the same people are let in on each."""
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


@pytest.mark.parametrize(("method", "path"), ALLOWED)
async def test_each_path_lets_in_exactly_the_roles_it_is_for(
    rest_service: RestService, method: str, path: str
) -> None:
    for who in ("ingest", "viewer", "alice", "admin"):
        answer = await rest_service.client.request(method, path, json={}, headers=rest_service.as_(who))

        forbidden = answer.status_code == 403
        assert forbidden is (who not in ALLOWED[method, path]), (who, answer.status_code)


@pytest.mark.parametrize(("method", "path"), ALLOWED)
async def test_no_path_answers_without_a_token(rest_service: RestService, method: str, path: str) -> None:
    answer = await rest_service.client.request(method, path, json={})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="mendgate"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), ALLOWED)
async def test_no_path_answers_to_a_wrong_token(rest_service: RestService, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer mg_{'x' * 43}"}

    answer = await rest_service.client.request(method, path, json={}, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="mendgate", error="invalid_token"'


def test_the_table_names_every_path(rest_service: RestService) -> None:
    paths = rest_service.app.openapi()["paths"]
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}

    named = {
        (method, re.sub("(inc|apr|frz)-x", lambda found: f"{{{NAMES[found[1]]}}}", path))
        for method, path in ALLOWED
    }
    assert described == named | {("GET", "/healthz"), ("GET", "/readyz")}


@pytest.mark.parametrize(
    "header", ["Bearer mg_wrong", "Bearer ", "Basic YWxpY2U6eA==", "mg_wrong", "Bearer \xff"]
)
async def test_a_header_that_is_no_valid_token_is_refused(rest_service: RestService, header: str) -> None:
    answer = await rest_service.client.get("/v1/me", headers={b"Authorization": header.encode("latin-1")})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_revoked_token_is_refused_at_once(rest_service: RestService) -> None:
    assert (await rest_service.client.get("/v1/me", headers=rest_service.as_("alice"))).status_code == 200

    rest_service.store.revoke("alice")

    assert (await rest_service.client.get("/v1/me", headers=rest_service.as_("alice"))).status_code == 401


async def test_a_damaged_token_file_lets_nobody_in_and_tells_no_path(rest_service: RestService) -> None:
    rest_service.store.path.write_text("{")

    answer = await rest_service.client.get("/v1/me", headers=rest_service.as_("admin"))

    assert answer.status_code == 503
    assert str(rest_service.store.path) not in answer.text


async def test_one_may_ask_who_one_is(rest_service: RestService) -> None:
    answer = await rest_service.client.get("/v1/me", headers=rest_service.as_("alice"))

    assert answer.json() == {"name": "alice", "role": "approver"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_needs_no_token(rest_service: RestService, path: str) -> None:
    answer = await rest_service.client.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/me", 405)])
async def test_also_paths_that_do_not_exist_answer_with_a_problem(
    rest_service: RestService, method: str, path: str, status: int
) -> None:
    answer = await rest_service.client.request(method, path, headers=rest_service.as_("admin"))

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
