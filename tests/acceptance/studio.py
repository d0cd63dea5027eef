"""LangGraph's dev server with alertmend's graph in it, as Studio talks to it."""

import asyncio
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.acceptance.services import QUICK
from tests.integration.clusters import ClusterUnderTest, SandboxUnderTest

ROOT = Path(__file__).parents[2]
_START_SECONDS = 90.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Studio:
    """The dev server's HTTP API."""

    client: httpx.AsyncClient
    folder: Path

    async def start(self, body: dict[str, Any]) -> "StudioThread":
        """Send an alert to a new thread, and wait for its first pause or its end."""
        created = await self.client.post("/threads", json={})
        thread = StudioThread(self.client, created.json()["thread_id"])
        await thread.run(input={"alert": body})
        return thread


@dataclass(frozen=True)
class StudioThread:
    """One run of the graph, seen through the dev server."""

    client: httpx.AsyncClient
    id: str

    async def run(self, **what: Any) -> dict[str, Any]:
        """Start or resume the run, and return what the server says when it has stopped."""
        answer = await self.client.post(
            f"/threads/{self.id}/runs/wait", json={"assistant_id": "alertmend", **what}
        )
        answer.raise_for_status()
        values: dict[str, Any] = answer.json()
        return values

    async def answer(self, given: Any) -> dict[str, Any]:
        """Answer the pause."""
        return await self.run(command={"resume": given})

    async def go_back_to(self, node: str) -> dict[str, Any]:
        """Run again from where the node came next, as one does in Studio, and return the state at the end."""
        history = (await self.client.get(f"/threads/{self.id}/history", params={"limit": 100})).json()
        before = [one for one in history if one["next"] == [node]][-1]
        return await self.run(input=None, checkpoint_id=before["checkpoint"]["checkpoint_id"])

    async def state(self) -> dict[str, Any]:
        """Return the thread's state as Studio shows it."""
        found: dict[str, Any] = (await self.client.get(f"/threads/{self.id}/state")).json()
        return found

    async def pause(self) -> dict[str, Any]:
        """Return the payload of the one interrupt that waits."""
        (interrupt,) = [one for task in (await self.state())["tasks"] for one in task["interrupts"]]
        value: dict[str, Any] = interrupt["value"]
        return value


@asynccontextmanager
async def studio(folder: Path, reader: Path, writer: Path, **environment: str) -> AsyncIterator[Studio]:
    """Start `langgraph dev` in a folder of its own, and stop it at the end."""
    port = _free_port()
    process = await _start(folder, port, reader, writer, environment)
    try:
        # the dev server ignores proxies' settings, and so must its client on loopback
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False
        ) as client:
            await _until_ready(client, process, folder)
            yield Studio(client, folder)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def fail_to_start(folder: Path, reader: Path, writer: Path, **environment: str) -> str:
    """Start a dev server that must refuse to, and return what it said."""
    process = await _start(folder, _free_port(), reader, writer, environment)
    await asyncio.wait_for(process.wait(), _START_SECONDS)
    assert process.returncode != 0
    return log_of(folder)


def log_of(folder: Path) -> str:
    """Return what the dev server has logged."""
    return (folder / "studio.log").read_text()


async def _start(
    folder: Path, port: int, reader: Path, writer: Path, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    (folder / "policy.yaml").write_text(QUICK)
    command = Path(sys.executable).parent / "langgraph"
    options = ("dev", "--no-browser", "--no-reload", "--port", str(port))
    with (folder / "studio.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            str(command), *options, "--config", str(ROOT / "langgraph.json"),
            cwd=folder, stdout=log, stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"], "HOME": str(folder), "LANGGRAPH_NO_VERSION_CHECK": "true",
                "NO_COLOR": "1", "LANGSMITH_TRACING": "false",
                "KUBECONFIG": str(reader), "ALERTMEND_WRITE_KUBECONFIG": str(writer),
                "ALERTMEND_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/service.db",
                "ALERTMEND_POLICY": str(folder / "policy.yaml"), **environment,
            },
        )  # fmt: skip


async def _until_ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process, folder: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while True:
        assert process.returncode is None, log_of(folder)
        assert asyncio.get_running_loop().time() < deadline, log_of(folder)
        try:
            if (await client.get("/ok")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(_POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def decisions(folder: Path) -> list[tuple[str, str]]:
    """Return who said what, from the scratch ledger."""
    with sqlite3.connect(folder / ".langgraph_api" / "alertmend.db") as connection:
        return [tuple(row) for row in connection.execute("select by, verdict from decisions order by at")]


async def approval_of(thread: StudioThread) -> str:
    """Return the id of the approval that the run waits for."""
    payload = await thread.pause()
    approval_id: str = payload["x_approval"]["id"]
    return approval_id


def studio_credentials(cluster: ClusterUnderTest, folder: Path, context: str) -> tuple[Path, Path]:
    """Return the two kubeconfigs, the real cluster's with a context of this name."""
    if isinstance(cluster, SandboxUnderTest):
        return cluster.reader_kubeconfig, cluster.writer_kubeconfig
    reader, writer = cluster.reader_kubeconfig, cluster.writer_kubeconfig
    return _renamed(reader, folder, context), _renamed(writer, folder, context)


def _renamed(path: Path, folder: Path, context: str) -> Path:
    document = yaml.safe_load(path.read_text())
    for one in document["contexts"]:
        if one["name"] == document["current-context"]:
            one["name"] = context
    document["current-context"] = context
    copy = folder / f"renamed-{path.name}"
    copy.write_text(yaml.safe_dump(document))
    return copy
