"""The bench measures what it says: both of its services take incidents from the alert to the report."""

from pathlib import Path

import pytest

from bench.copies import copy_incident
from bench.driver import Kind, open_stand
from checkpoints.ledger import open_ledger


@pytest.mark.parametrize("kind", ["alertmend", "reference"])
async def test_a_stand_takes_incidents_to_their_end(kind: Kind, tmp_path: Path) -> None:
    async with open_stand(kind, f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as stand:
        spent = await stand.run_incidents(["web-1", "web-2", "web-3"], at_once=2)

    assert spent.incidents == 3
    assert spent.cpu_seconds > 0


async def test_copies_of_a_paused_incident_are_listed_like_any_other(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    async with open_stand("alertmend", url, tmp_path) as stand:
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
