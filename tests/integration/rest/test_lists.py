"""Lists, and the page's inbox, ask the database the same few questions, however long they are."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.databases import query
from tests.integration.rest.rest_service import RestService
from tests.integration.rest.sign_ins import sign_in
from tests.statements import statements


async def require_as_many_questions(
    rest_service: RestService, ask: Callable[[], Awaitable[tuple[int, int]]]
) -> None:
    """Fail unless five proposals are shown with as many questions as one; `ask` returns both numbers."""
    await rest_service.propose()
    one = await ask()
    for _ in range(4):
        await rest_service.propose()
    five = await ask()

    assert (one[0], five[0]) == (1, 5)
    assert five[1] == one[1]


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/approvals"])
async def test_a_longer_list_takes_no_more_questions(rest_service: RestService, path: str) -> None:
    async def ask() -> tuple[int, int]:
        with statements() as made:
            answer = await rest_service.client.get(path, headers=rest_service.as_("viewer"))
        return len(answer.json()["items"]), len(made)

    await require_as_many_questions(rest_service, ask)


async def test_a_fuller_inbox_takes_no_more_questions(rest_service: RestService) -> None:
    async def ask() -> tuple[int, int]:
        with statements() as made:
            inbox = (await rest_service.client.get("/")).text
        return inbox.count('class="row pending'), len(made)

    await sign_in(rest_service.client, rest_service.tokens["viewer"])
    await require_as_many_questions(rest_service, ask)


@pytest.mark.parametrize("table", ["incidents", "approvals"])
async def test_a_list_of_one_status_needs_no_sorting(migrated: Path, table: str) -> None:
    page = f"SELECT * FROM {table} WHERE status = 'failed' ORDER BY created_at DESC, id DESC LIMIT 51"
    plan = await query(f"sqlite+aiosqlite:///{migrated}", text(f"EXPLAIN QUERY PLAN {page}"))

    assert f"ix_{table}_status_created" in str(plan)
    assert "ORDER BY" not in str(plan)
