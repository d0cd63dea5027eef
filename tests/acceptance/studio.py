"""LangGraph's dev server with mendgate's graph in it, as Studio talks to it."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.acceptance.services import QUICK
from tests.dev_server import fail_to_start, open_dev_server
from tests.integration.cluster.clusters import ClusterUnderTest, SandboxUnderTest

_CONFIG = Path(__file__).parents[2] / "langgraph.json"


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
            f"/threads/{self.id}/runs/wait", json={"assistant_id": "mendgate", **what}
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
    async with open_dev_server(folder, _CONFIG, **_settings(folder, reader, writer), **environment) as client:
        yield Studio(client, folder)


async def fail_to_start_studio(folder: Path, reader: Path, writer: Path, **environment: str) -> str:
    """Start a dev server that must refuse to, and return what it said."""
    return await fail_to_start(folder, _CONFIG, **_settings(folder, reader, writer), **environment)


def _settings(folder: Path, reader: Path, writer: Path) -> dict[str, str]:
    policy = folder / "policy.yaml"
    policy.write_text(QUICK)
    return {
        "KUBECONFIG": str(reader), "MENDGATE_WRITE_KUBECONFIG": str(writer),
        "MENDGATE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/service.db", "MENDGATE_POLICY": str(policy),
    }  # fmt: skip


def decisions(folder: Path) -> list[tuple[str, str]]:
    """Return who said what, from the scratch ledger."""
    with sqlite3.connect(folder / ".langgraph_api" / "mendgate.db") as connection:
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
