"""What attackers meet: a counted cluster, and the whole loop before it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attack.counting_proxy import CountingProxy, open_counting_proxy
from tests.attack.stages import Stage, open_stage
from tests.integration.cluster.clusters import ClusterUnderTest
from tests.integration.rest.rest_service import RestService, open_rest_service


@pytest.fixture
async def front(cluster: ClusterUnderTest, tmp_path: Path) -> AsyncIterator[CountingProxy]:
    async with open_counting_proxy(cluster, tmp_path) as opened:
        yield opened


@pytest.fixture
async def stage(front: CountingProxy, database_url: str) -> AsyncIterator[Stage]:
    """Open the whole loop; whatever a test does, nothing unapproved may have been sent at its end."""
    async with open_stage(front, database_url) as opened:
        yield opened
        assert await opened.unapproved() == []


@pytest.fixture
async def rest_service(tmp_path: Path, database_url: str) -> AsyncIterator[RestService]:
    async with open_rest_service(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Return where a ledger of its own keeps the audit's key."""
    return tmp_path / "audit.key"
