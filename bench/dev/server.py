"""The same incidents through `langgraph dev`, LangGraph's own server: its HTTP API, and what it spends."""

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.driver import Spent, spend
from bench.webhooks import webhook_body
from tests import dev_server

_CONFIG = Path(__file__).parent / "langgraph.json"


@dataclass(frozen=True)
class DevServer:
    """The server's API, as a client of LangGraph's uses it."""

    client: httpx.AsyncClient

    async def run_incidents(self, names: Sequence[str], at_once: int) -> Spent:
        """Take incidents from their alert to their report, so many at a time."""
        return await spend(self._run_incident, names, at_once, self._cpu)

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
            "POST", f"/threads/{thread}/runs/wait", json={"assistant_id": "mendgate", **what}
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
    with tempfile.TemporaryDirectory(prefix="mendgate-bench-") as folder:
        async with dev_server.open_dev_server(Path(folder), _CONFIG) as client:
            yield DevServer(client)
