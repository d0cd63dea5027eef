"""When Studio's dev mode starts, and that it keeps to its own ledger."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.config.settings import Settings
from api.studio.app import SCRATCH, open_studio
from tools.errors import BadInput, ClusterUnreachable
from tools.sandbox import SandboxCluster
from tools.sandbox.kubeconfig import CONTEXT


class NoSandbox:
    """Says the version of a cluster that is no sandbox."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/version":
            await JSONResponse({"major": "1", "minor": "31", "gitVersion": "v1.31.4"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SandboxCluster]:
    """Start what looks like somebody's cluster, and work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    async with SandboxCluster(middleware=[Middleware(NoSandbox)]) as cluster:
        yield cluster


def in_context(kubeconfig: Path, context: str) -> Path:
    """Return a copy of the kubeconfig whose context has another name."""
    copy = kubeconfig.with_name(f"{context}-{kubeconfig.name}")
    copy.write_text(kubeconfig.read_text().replace(CONTEXT, context))
    return copy


async def start(
    cluster: SandboxCluster, folder: Path, *, reader: str, writer: str | None, dev_mode: bool = True
) -> None:
    """Open Studio with credentials in contexts of these names; `mine` is the one that may be changed."""
    read, write = cluster.write_kubeconfigs(folder)
    settings = Settings.model_validate(
        {
            "kubeconfig": in_context(read, reader),
            "write_kubeconfig": in_context(write, writer) if writer else None,
            "database_url": f"sqlite+aiosqlite:///{folder}/service.db",
            "dev_mode": dev_mode,
            "dev_context": "mine",
        }
    )
    async with AsyncExitStack() as stack:
        await open_studio(stack, settings)


@pytest.mark.parametrize("writer", ["mine", None])
async def test_dev_mode_starts_in_the_one_context_it_was_given(
    cluster: SandboxCluster, tmp_path: Path, writer: str | None
) -> None:
    await start(cluster, tmp_path, reader="mine", writer=writer)

    assert (tmp_path / SCRATCH).exists()
    assert not (tmp_path / "service.db").exists()


@pytest.mark.parametrize(("reader", "writer"), [("mine", "theirs"), ("theirs", "mine"), ("theirs", None)])
async def test_dev_mode_refuses_if_either_credential_leads_elsewhere(
    cluster: SandboxCluster, tmp_path: Path, reader: str, writer: str | None
) -> None:
    with pytest.raises(BadInput, match=r"'theirs'.*MENDGATE_DEV_CONTEXT"):
        await start(cluster, tmp_path, reader=reader, writer=writer)


async def test_dev_mode_refuses_a_cluster_that_does_not_answer(
    cluster: SandboxCluster, tmp_path: Path
) -> None:
    async with SandboxCluster() as gone:
        pass

    with pytest.raises(ClusterUnreachable):
        await start(gone, tmp_path, reader="theirs", writer="theirs")


async def test_without_dev_mode_any_cluster_may_be_looked_at(cluster: SandboxCluster, tmp_path: Path) -> None:
    await start(cluster, tmp_path, reader="theirs", writer="theirs", dev_mode=False)

    assert (tmp_path / SCRATCH).exists()
