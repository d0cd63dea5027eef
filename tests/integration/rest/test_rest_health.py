"""Probes: the process lives whatever the database does, and is ready only with one that it can use."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.databases import PostgresUnderTest, query
from tests.integration.rest.rest_service import RestService, open_rest_service

NOT_READY = "urn:mendgate:problem:not-ready"


@pytest.fixture
async def on_postgres(tmp_path: Path, url: str) -> AsyncIterator[RestService]:
    async with open_rest_service(tmp_path, url) as rest_service:
        yield rest_service


async def test_a_service_with_a_database_is_alive_and_ready(rest_service: RestService) -> None:
    alive, ready = [await rest_service.client.get(path) for path in ("/healthz", "/readyz")]

    assert (alive.status_code, ready.status_code) == (200, 200)


async def test_a_service_that_stops_is_alive_and_no_longer_ready(rest_service: RestService) -> None:
    rest_service.dependencies.closing.set()

    alive, ready = [await rest_service.client.get(path) for path in ("/healthz", "/readyz")]

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert ready.json()["type"] == "urn:mendgate:problem:stopping"


async def test_a_database_that_is_away_is_named_and_nothing_about_it_told(
    on_postgres: RestService, postgres: PostgresUnderTest, url: str
) -> None:
    with postgres.closed(url):
        alive, ready = [await on_postgres.client.get(path) for path in ("/healthz", "/readyz")]
    again = await on_postgres.client.get("/readyz")

    assert (alive.status_code, ready.status_code, again.status_code) == (200, 503, 200)
    assert ready.json()["type"] == NOT_READY
    assert ready.json()["detail"] == "database: not usable now; see the service's log"
    assert "postgres" not in ready.text


async def test_tables_of_another_version_are_named(on_postgres: RestService, url: str) -> None:
    await query(url, text("UPDATE alembic_version SET version_num = '0001'"))

    ready = await on_postgres.client.get("/readyz")

    assert (ready.status_code, ready.json()["type"]) == (503, NOT_READY)
    assert ready.json()["detail"].startswith("migrations:")
