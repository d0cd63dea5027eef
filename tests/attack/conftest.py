"""What attackers meet: a counted cluster, and the whole loop before it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attack.fronts import Front, open_front
from tests.attack.stages import Stage, open_stage
from tests.integration.clusters import ClusterUnderTest
from tests.integration.rest.house import House, open_house


@pytest.fixture
async def front(cluster: ClusterUnderTest, tmp_path: Path) -> AsyncIterator[Front]:
    async with open_front(cluster, tmp_path) as opened:
        yield opened


@pytest.fixture
async def stage(front: Front, database_url: str) -> AsyncIterator[Stage]:
    """Open the whole loop; whatever a test does, nothing unapproved may have been sent at its end."""
    async with open_stage(front, database_url) as opened:
        yield opened
        assert await opened.unapproved() == []


@pytest.fixture
async def house(tmp_path: Path, database_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Return where a ledger of its own keeps the audit's key."""
    return tmp_path / "audit.key"
