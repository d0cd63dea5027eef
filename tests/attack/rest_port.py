"""The REST port before a stage, with somebody of each role before it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.identity.tokens import TokenStore
from api.rest.dependencies import AppDependencies
from api.serving.app import create_app
from tests.attack.stages import Stage


@dataclass(frozen=True)
class Port:
    """A client of the REST port, and the tokens."""

    client: httpx.AsyncClient
    tokens: dict[str, str]

    async def send(self, method: str, path: str, role: str = "approver", **options: Any) -> httpx.Response:
        """Send one request with a role's token."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)


@asynccontextmanager
async def open_port(stage: Stage, folder: Path) -> AsyncIterator[Port]:
    """Serve a stage's incidents over REST."""
    store = TokenStore(folder / "tokens.json")
    tokens = {role: store.create(role, role) for role in ("ingest", "viewer", "approver", "admin")}
    dependencies = AppDependencies(stage.ledger, stage.runner.wake, stage.runner.retry, store, stage.editor)
    transport = httpx.ASGITransport(create_app(dependencies), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Port(client, tokens)
