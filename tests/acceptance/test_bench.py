"""The bench measures what it says: both of its services take incidents from the alert to the report."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bench.copies import copy_audit, copy_incident
from bench.dev.server import open_dev_server
from bench.driver import Kind, Stand, open_stand
from bench.lists import compare_lists, time_lists, time_verification
from checkpoints.ledger import open_ledger
from tests.integration.rest.sign_ins import sign_in


@pytest.mark.parametrize("kind", ["mendgate", "reference"])
async def test_a_stand_takes_incidents_to_their_end(kind: Kind, tmp_path: Path) -> None:
    async with open_stand(kind, f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as stand:
        spent = await stand.run_incidents(["web-1", "web-2", "web-3"], at_once=2)

    assert spent.incidents == 3
    assert spent.cpu_seconds > 0


async def test_copies_of_a_paused_incident_are_listed_like_any_other(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    async with open_stand("mendgate", url, tmp_path) as stand:
        copied, decided = [await stand.deliver(name) for name in ("web-1", "web-2")]
        copy_incident(url, copied, 10)
        await stand.approve(decided)
        await stand.patched("web-2")
        await stand.hear("ended", decided)

    async with open_ledger(url, tmp_path / "audit.key") as ledger:
        waiting = await ledger.approvals.page(status="pending")
        ended = await ledger.incidents.find(decided)

    assert len(waiting.items) == 11
    assert ended.status == "resolved"


async def test_the_dev_server_takes_incidents_to_their_end() -> None:
    async with open_dev_server() as server:
        spent = await server.run_incidents(["web-1", "web-2"], at_once=2)

    assert spent.incidents == 2
    assert spent.cpu_seconds > 0


async def test_lists_are_read_beside_few_incidents_and_beside_more_in_a_sealed_audit(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        few, many = [await _open_beside(stack, tmp_path, copies) for copies in (5, 65)]
        times = await time_lists({5: few, 65: many})
        verified = await time_verification(many)
        latest = (await many.request("GET", "/v1/incidents?limit=200")).json()["items"]

    section = compare_lists({"SQLite": times}, {"SQLite": verified})
    assert len(latest) == 66
    assert len({one["created_at"] for one in latest}) == 66
    assert [row[1] for row in section.rows] == list(times[5])


async def _open_beside(stack: AsyncExitStack, tmp_path: Path, copies: int) -> Stand:
    folder = tmp_path / str(copies)
    folder.mkdir()
    url = f"sqlite+aiosqlite:///{folder}/ledger.db"
    stand = await stack.enter_async_context(open_stand("mendgate", url, folder))
    copied = await stand.deliver("copied")
    copy_incident(url, copied, copies)
    copy_audit(url, (folder / "audit.key").read_bytes(), copied, copies)
    assert (await sign_in(stand.client, stand.token)).has_redirect_location
    return stand
