"""One service under measurement, in a process of its own: mendgate with instant tools, or the reference.

It says on stdout where it listens and when a run has paused or ended, and answers each line on stdin with the
CPU seconds and the memory it has used, all as lines of JSON.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

import api.serving.wiring
import graph.builder
from api.config.settings import Settings
from api.serving.server import serving, spare_collections
from bench.instant import POLICY, InstantCluster, InstantMind, SilentMind, make_nodes
from bench.recording import record
from bench.reference import open_insert, open_reference
from checkpoints.ledger import Ledger
from graph.builder import Nodes
from graph.ports import Diagnostician


def say(**facts: Any) -> None:
    """Say something to whoever measures."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class Watched:
    """A compiled graph whose runs are heard of."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)

    def with_config(self, **options: Any) -> "Watched":
        """Return the same with a configuration."""
        return Watched(self._compiled.with_config(**options))

    async def ainvoke(self, *given: Any, **options: Any) -> Any:
        """Run, and say that the run has paused or ended."""
        result = await self._compiled.ainvoke(*given, **options)
        _tell("paused" if "__interrupt__" in result else "ended", result["incident_id"])
        return result


def _tell(what: str, incident: str) -> None:
    say(**{what: incident})


@asynccontextmanager
async def _mendgate(url: str, folder: Path, diagnostician: Diagnostician | None = None) -> AsyncIterator[str]:
    build = graph.builder.build_graph
    graph.builder.build_graph = lambda *given: Watched(build(*given))  # type: ignore[assignment]

    async def open_nodes(stack: Any, settings: Settings, ledger: Ledger, desk: Any = None) -> Nodes:
        return make_nodes(ledger, diagnostician or InstantMind(), InstantCluster(_patched), desk)

    api.serving.wiring.open_nodes = open_nodes
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    settings = Settings(
        kubeconfig=folder / "unused", database_url=url, port=0, tokens=folder / "tokens.json", policy=policy,
        audit_key=folder / "audit.key", model=None, mcp_config=None,
    )  # fmt: skip
    async with serving(settings) as address:
        yield address


def _patched(name: str) -> None:
    say(patched=name, at=time.monotonic())


def _intake(url: str, folder: Path) -> AbstractAsyncContextManager[str]:
    return _mendgate(url, folder, SilentMind(lambda: say(silent="mind")))


@asynccontextmanager
async def _reference(url: str, _folder: Path) -> AsyncIterator[str]:
    recording = await asyncio.to_thread(record)
    async with open_reference(url, recording, _tell) as app, _answering(app) as address:
        yield address


@asynccontextmanager
async def _insert(url: str, _folder: Path) -> AsyncIterator[str]:
    async with open_insert(url) as app, _answering(app) as address:
        yield address


@asynccontextmanager
async def _answering(app: FastAPI) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn offers nothing to await
        await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    await task


_KINDS: dict[str, Callable[[str, Path], AbstractAsyncContextManager[str]]] = {
    "mendgate": _mendgate,
    "reference": _reference,
    "intake": _intake,
    "insert": _insert,
}


async def _serve(kind: str, url: str, folder: Path) -> None:
    async with _KINDS[kind](url, folder) as address:
        spare_collections()
        say(url=address)
        while await asyncio.to_thread(sys.stdin.readline):
            say(cpu=time.process_time(), rss_mb=_most_memory_mb())


def _most_memory_mb() -> float:
    """Return the most memory this process has had; getrusage counts what its parent had when it began."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status doesn't tell the most memory: measure on Linux")


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=_KINDS)
    parser.add_argument("database")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    logging.basicConfig(filename=options.folder / "log", level=logging.WARNING)
    asyncio.run(_serve(options.kind, options.database, options.folder))


if __name__ == "__main__":
    main()
