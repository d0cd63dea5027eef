"""A house per test; `expiries` may be overridden."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoints.ledger import Expiries
from tests.integration.rest.house import House, open_house


@pytest.fixture
def expiries() -> Expiries:
    return Expiries()


@pytest.fixture
async def house(tmp_path: Path, expiries: Expiries) -> AsyncIterator[House]:
    async with open_house(tmp_path, expiries) as opened:
        yield opened
