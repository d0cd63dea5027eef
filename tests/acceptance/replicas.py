"""Replicas as processes of their own on one Postgres database, forked from a parent that has all loaded."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx

from api.config.settings import Settings
from api.identity.tokens import TokenStore
from tests.forks import fork_context
from tests.integration.cluster.clusters import await_condition

QUICK = {"beat_seconds": 0.5, "dead_seconds": 4.0, "sweep_seconds": 0.5}
_START_SECONDS = 60.0
_END_SECONDS = 60.0
Prepare = Callable[[str], None]


class Replica:
    """One process. `prepare` is called in it with the database's URL before the service starts."""

    def __init__(self, number: int, folder: Path, settings: dict[str, Any], prepare: Prepare | None) -> None:
        self.folder = folder / f"replica-{number}"
        self.folder.mkdir()
        self._arguments = (str(self.folder), settings, prepare)
        self.process: BaseProcess | None = None
        self.url = ""

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._say.write_text("")
        self.process = fork_context().Process(target=_serve, args=self._arguments, daemon=True)
        self.process.start()
        self.url = await await_condition(self._listens, "a replica to start", _START_SECONDS)

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    async def ended(self) -> int:
        """Wait for the process's end and return its exit code."""
        process = self.process
        assert process is not None
        await asyncio.to_thread(process.join, _END_SECONDS)
        assert process.exitcode is not None, self.log()
        self.process = None
        return process.exitcode

    def log(self) -> str:
        """Return what it has logged."""
        path = self.folder / "stderr.log"
        return path.read_text() if path.exists() else ""

    async def clean(self) -> None:
        """Kill it if it still runs."""
        if self.process:
            self.process.kill()
            await self.ended()

    @property
    def _say(self) -> Path:
        return self.folder / "stdout.log"

    async def _listens(self) -> str | None:
        assert self.process is not None
        assert self.process.is_alive(), self.log()
        line = self._say.read_text()
        return line.split("listens on ")[1].split()[0] if "listens on" in line and "\n" in line else None


class Replicas:
    """Several replicas, and the people who talk to them."""

    def __init__(self, folder: Path, prepare: Prepare | None = None, **settings: Any) -> None:
        tokens = TokenStore(folder / "tokens.json")
        self._folder = folder
        self._token = tokens.create("admin", "admin")
        self._prepare = prepare
        self._settings = {"tokens": tokens.path, "audit_key": folder / "audit.key", "port": 0, **settings}
        self.all: list[Replica] = []

    async def start(self, count: int = 1, prepare: Prepare | None = None) -> list[Replica]:
        """Start so many more, `prepare`d in another way where that is given."""
        more = [
            Replica(len(self.all) + number, self._folder, self._settings, prepare or self._prepare)
            for number in range(count)
        ]
        self.all += more
        await more[0].start()  # it makes the audit's key
        await asyncio.gather(*(replica.start() for replica in more[1:]))
        return more

    async def request(self, replica: Replica, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request to one of them."""
        async with self.client(replica.url) as client:
            return await client.request(method, path, **options)

    def client(self, url: str) -> httpx.AsyncClient:
        """Return a client that talks to one of them."""
        headers = {"Authorization": f"Bearer {self._token}"}
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=60)

    async def post_alert(self, replica: Replica, body: dict[str, Any]) -> str:
        """Deliver a webhook and return the one incident it opened."""
        answer = await self.request(replica, "POST", "/alert", json=body)
        (incident_id,) = answer.json()["incident_ids"]
        return str(incident_id)

    async def reach(self, replica: Replica, incident_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until the incident, as one of them shows it, has one of the statuses."""

        async def probe() -> dict[str, Any] | None:
            answer = await self.request(replica, "GET", f"/v1/incidents/{incident_id}")
            incident: dict[str, Any] = answer.json()
            return incident if incident["status"] in statuses else None

        return await await_condition(probe, f"{statuses}: {replica.log()[-3000:]}", 90)

    async def approve(self, replica: Replica, incident: dict[str, Any]) -> int:
        """Approve the incident's newest proposal over one of them; return the answer's status."""
        approval_id = incident["approval_ids"][-1]
        approval = (await self.request(replica, "GET", f"/v1/approvals/{approval_id}")).json()
        body = {"digest": approval["digest"], "reason": "as tested"}
        answer = await self.request(replica, "POST", f"/v1/approvals/{approval_id}/approve", json=body)
        return answer.status_code


@asynccontextmanager
async def replicated(
    folder: Path, prepare: Prepare | None = None, **settings: Any
) -> AsyncIterator[Replicas]:
    """Yield replicas that are killed at the end."""
    replicas = Replicas(folder, prepare, **settings)
    try:
        yield replicas
    finally:
        for replica in replicas.all:
            await replica.clean()


def _serve(folder: str, settings: dict[str, Any], prepare: Prepare | None) -> None:
    """Be a replica: what `mendgate serve` does, with a quick pulse."""
    from api.observability.logs import configure_logging
    from api.serving.server import serve
    from checkpoints.queue.jobs import HeartbeatSettings

    os.chdir(folder)
    sys.stdout = Path("stdout.log").open("a")  # noqa: SIM115 -- open as long as the process lives
    sys.stderr = Path("stderr.log").open("a")  # noqa: SIM115
    configure_logging()
    if prepare:
        prepare(settings["database_url"])
    asyncio.run(serve(Settings(**settings), HeartbeatSettings(**QUICK)))
    sys.exit(0)
