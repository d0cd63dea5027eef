"""The same incidents through `langgraph dev`, LangGraph's own server: its HTTP API, and what it spends."""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.driver import Spent, StandFailed
from bench.webhooks import webhook_body

_CONFIG = Path(__file__).parent / "langgraph.json"
_START_SECONDS, _POLL_SECONDS = 90, 0.2
_LONGEST_SECONDS = 600


@dataclass(frozen=True)
class DevServer:
    """The server's API, as a client of LangGraph's uses it."""

    client: httpx.AsyncClient

    async def run_incidents(self, names: list[str], at_once: int) -> Spent:
        """Take incidents from their alert to their report, so many at a time."""
        waiting = iter(names)

        async def work() -> None:
            for name in waiting:
                await self._run_incident(name)

        before, began = await self._cpu(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        wall = time.perf_counter() - began
        return Spent(await self._cpu() - before, wall, len(names))

    async def _run_incident(self, name: str) -> None:
        thread = (await self._request("POST", "/threads", json={}))["thread_id"]
        await self._run(thread, input={"alert": json.loads(webhook_body(name))})
        state = await self._request("GET", f"/threads/{thread}/state")
        assert state["next"] == ["await_approval"], state
        values = await self._run(thread, command={"resume": "approve"})
        assert values.get("verdict") == "verified", values
        assert values["report"]

    async def _run(self, thread: str, **what: Any) -> Any:
        return await self._request(
            "POST", f"/threads/{thread}/runs/wait", json={"assistant_id": "alertmend", **what}
        )

    async def _cpu(self) -> float:
        return float((await self._request("GET", "/usage"))["cpu"])

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.client.request(method, path, **options)
        assert answer.is_success, answer.text
        return answer.json()


@asynccontextmanager
async def open_dev_server() -> AsyncIterator[DevServer]:
    """Start the server with a fresh ledger, and stop it at the end."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alertmend-bench-")))
        port = _free_port()
        process = await _start(folder, port)
        try:
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{port}", timeout=_LONGEST_SECONDS, trust_env=False
                )
            )
            await _until_ready(client, process, folder)
            yield DevServer(client)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _start(folder: Path, port: int) -> asyncio.subprocess.Process:
    with (folder / "log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "langgraph",
            "dev", "--no-browser", "--no-reload", "--port", str(port), "--config", str(_CONFIG),
            "--server-log-level", "WARNING",
            cwd=folder, stdout=log, stderr=asyncio.subprocess.STDOUT,
            env={
                **os.environ, "NO_COLOR": "1", "LANGGRAPH_NO_VERSION_CHECK": "true",
                "LANGSMITH_TRACING": "false",
            },
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def _until_ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        if process.returncode is not None or time.monotonic() > deadline:
            raise StandFailed((folder / "log").read_text())
        try:
            if (await client.get("/ok")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(_POLL_SECONDS)
