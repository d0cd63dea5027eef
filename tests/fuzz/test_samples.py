"""A sample of what `make fuzz` does at length: mutated deliveries, and the API against its description."""

from itertools import islice
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from tests.fuzz.campaign import opened
from tests.fuzz.description import examine, serving
from tests.fuzz.mutations import deliveries

SEED = 20_261_125


async def test_mutated_deliveries_leave_nothing_half_stored(tmp_path: Path, database_url: str) -> None:
    bodies = 300 if database_url.startswith("postgres") else 2000
    async with opened(tmp_path, database_url, SEED) as campaign:
        for _ in range(4):
            await campaign.send(bodies // 4)

    assert campaign.tally.faults == []
    assert campaign.tally.statuses.keys() == {202, 422}
    assert campaign.tally.new_alerts > 0


async def test_a_campaign_sees_a_delivery_that_is_kept_without_its_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpoints.alerts.intake._write", AsyncMock())
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    async with opened(tmp_path, url, SEED) as campaign:
        await campaign.send(50)

    assert any("without its alerts" in fault for fault in campaign.tally.faults)


def test_a_seed_makes_the_same_bodies_each_time() -> None:
    one, two, other = (list(islice(deliveries(seed), 200)) for seed in (1, 1, 2))

    assert one == two
    assert one != other


async def test_the_api_does_as_its_description_says(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        code, said = await examine(
            service, "admin", "examples,fuzzing", "--max-examples", "2", "--seed", str(SEED)
        )

    assert code == 0, said
