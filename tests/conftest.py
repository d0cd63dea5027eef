"""Clusters and databases for all tests: the sandbox, SQLite and Postgres; a real API server where named.

`MENDGATE_TEST_REQUIRE_CLUSTER=1` turns "skipped for want of a real cluster" into a failure.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from checkpoints.ledger import Ledger, open_ledger
from checkpoints.savers.opening import open_saver
from tests.clocks import Clock, moved_by_hand
from tests.integration.cluster.clusters import (
    REAL_KUBECONFIGS,
    ClusterUnderTest,
    RealUnderTest,
    SandboxUnderTest,
)
from tests.integration.cluster.executions import Trick
from tools.sandbox import SandboxCluster

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from tests.databases import PostgresUnderTest

# a busy machine is no fault of an example
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

if not os.environ.get("MENDGATE_TEST_MODEL_URL"):
    # All else is on loopback. To load the authorities of the whole world would cost 20 ms per HTTP client.
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = os.devnull


@pytest.fixture
def before() -> list[Trick]:
    """Return the tricks to be played on patches before the server sees them."""
    return []


@pytest.fixture
def after() -> list[Trick]:
    """Return the tricks to be played on the server's answers to patches."""
    return []


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Move the wall clock by hand."""
    with moved_by_hand() as clock:
        yield clock


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxCluster]:
    """Start a fresh sandbox cluster."""
    async with SandboxCluster() as cluster:
        yield cluster


@pytest.fixture(params=["sandbox", "real"])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ClusterUnderTest]:
    """Run the same test on the sandbox and on a real Kubernetes API server."""
    if request.param == "sandbox":
        async with SandboxCluster() as sandbox:
            one = SandboxUnderTest(sandbox, tmp_path)
            yield one
            await one.clean()
        return
    missing = [name for name in REAL_KUBECONFIGS if not os.environ.get(name)]
    if missing:
        if os.environ.get("MENDGATE_TEST_REQUIRE_CLUSTER"):
            pytest.fail(f"a real cluster is required: set {', '.join(missing)}")
        pytest.skip(f"no real cluster: set {', '.join(missing)}")
    real = RealUnderTest()
    yield real
    await real.clean()


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresUnderTest"]:
    """Start Postgres for the tests that want it."""
    from tests.databases import run_postgres  # needs its driver, which most tests do without

    with run_postgres() as server:
        yield server


@pytest.fixture
def url(postgres: "PostgresUnderTest") -> Iterator[str]:
    """Make a fresh Postgres database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an SQLite database to copy from: to migrate one takes longer than most tests do."""
    from tests.databases import make_migrated_file

    return make_migrated_file(tmp_path_factory.mktemp("migrated") / "ledger.db")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Run the same test on a fresh SQLite file and on a fresh Postgres database, with tables in both."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "ledger.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
        return
    yield request.getfixturevalue("url")


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    """Open a ledger on each of the databases."""
    async with open_ledger(database_url) as ledger:
        yield ledger


@pytest.fixture
async def saver(database_url: str) -> AsyncIterator["BaseCheckpointSaver[str]"]:
    """Open a saver on each of the databases."""
    async with open_saver(database_url) as saver:
        yield saver
