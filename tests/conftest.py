"""Clusters for all tests: the embedded sandbox always, a real API server where one is named.

`ALERTMEND_TEST_REQUIRE_CLUSTER=1` turns "skipped for want of a real cluster" into a failure.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.clusters import REAL_KUBECONFIGS, ClusterUnderTest, RealUnderTest, SandboxUnderTest
from tests.integration.executions import Trick
from tools.sandbox import SandboxCluster


@pytest.fixture
def before() -> list[Trick]:
    """Return the tricks to be played on patches before the server sees them."""
    return []


@pytest.fixture
def after() -> list[Trick]:
    """Return the tricks to be played on the server's answers to patches."""
    return []


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
        if os.environ.get("ALERTMEND_TEST_REQUIRE_CLUSTER"):
            pytest.fail(f"a real cluster is required: set {', '.join(missing)}")
        pytest.skip(f"no real cluster: set {', '.join(missing)}")
    real = RealUnderTest()
    yield real
    await real.clean()
