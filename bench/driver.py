"""Whoever measures: starts a stand, sends it what clients would send, and counts what that took it."""

import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

import httpx

from api.identity.tokens import TokenStore
from bench.webhooks import webhook_body

Kind = Literal["mendgate", "reference", "intake", "insert"]
_START_SECONDS = 120
_TOO_MUCH, _PAUSE_SECONDS = 503, 0.1
_LONGEST_SECONDS = 600


class StandFailed(RuntimeError):
    """The service under measurement broke down: there is nothing to measure."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds of the service, and wall seconds, for so many incidents."""

    cpu_seconds: float
    wall_seconds: float
    incidents: int

    @property
    def cpu_ms(self) -> float:
        """Return the milliseconds of CPU per incident."""
        return 1000 * self.cpu_seconds / self.incidents

    @property
    def wall_ms(self) -> float:
        """Return the milliseconds of wall time per incident."""
        return 1000 * self.wall_seconds / self.incidents


@dataclass
class Stand:
    """A service that runs in another process, and a client of it."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    token: str
    _told: dict[str, asyncio.Queue[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request, again where it was too much at once, and fail unless it succeeds."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        while True:
            answer = await self.client.request(method, path, headers=headers, **options)
            if answer.status_code != _TOO_MUCH:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        assert answer.is_success, answer.text
        return answer

    async def usage(self) -> dict[str, float]:
        """Return the CPU seconds it has used, and its most memory in MB."""
        assert self.process.stdin
        self.process.stdin.write(b"usage\n")
        return await self._told["usage"].get()

    async def begin(self, name: str) -> str:
        """Deliver an alert about the Deployment `name`, and return its incident."""
        answer = await self.request("POST", "/v1/webhooks/alertmanager", content=webhook_body(name))
        (incident,) = answer.json()["incident_ids"]
        return str(incident)

    async def deliver(self, name: str) -> str:
        """Do so, and return it once its proposal waits."""
        incident = await self.begin(name)
        await self.hear("paused", incident)
        return incident

    async def approve(self, incident: str) -> None:
        """Look at the incident and its proposal, as a person would, and approve it."""
        found = (await self.request("GET", f"/v1/incidents/{incident}")).json()
        approval = (await self.request("GET", f"/v1/approvals/{found['approval_ids'][-1]}")).json()
        body = {"digest": approval["digest"], "reason": "fine"}
        await self.request("POST", f"/v1/approvals/{approval['id']}/approve", json=body)

    async def hear(self, what: str, incident: str) -> None:
        """Wait until the run has paused or ended."""
        async with asyncio.timeout(_LONGEST_SECONDS):
            while what not in await self._told[incident].get():
                pass

    async def patched(self, name: str) -> float:
        """Return when the Deployment was patched, by the clock that never jumps."""
        async with asyncio.timeout(_LONGEST_SECONDS):
            return float((await self._told[name].get())["at"])

    async def pump(self) -> None:
        """Take in what the process says. Raises `StandFailed` where it ends without having been asked to."""
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            facts = json.loads(line)
            names = (facts.get(what) for what in ("paused", "ended", "patched", "silent"))
            key = next(filter(None, names), "usage" if "cpu" in facts else "url")
            self._told[key].put_nowait(facts)
        if not self.process.stdin or not self.process.stdin.is_closing():
            raise StandFailed("the service under measurement has ended; what it said is above")

    async def address(self) -> str:
        """Wait until it listens, and return where."""
        return str((await self._told["url"].get())["url"])

    async def run_incidents(self, names: Sequence[str], at_once: int) -> Spent:
        """Take incidents from their alert to their report, so many at a time."""
        return await spend(self._run_incident, names, at_once, self._cpu)

    async def _run_incident(self, name: str) -> None:
        incident = await self.deliver(name)
        await self.approve(incident)
        await self.hear("ended", incident)
        await self.request("GET", f"/v1/incidents/{incident}/report")

    async def _cpu(self) -> float:
        return (await self.usage())["cpu"]


async def spend(
    run: Callable[[str], Awaitable[None]],
    names: Sequence[str],
    at_once: int,
    cpu: Callable[[], Awaitable[float]],
) -> Spent:
    """Run an incident for each name, so many at a time; `cpu` tells the seconds that the service has used."""
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            await run(name)

    before, began = await cpu(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    wall = time.perf_counter() - began
    return Spent(await cpu() - before, wall, len(names))


@asynccontextmanager
async def open_stand(kind: Kind, database_url: str, folder: Path | None = None) -> AsyncIterator[Stand]:
    """Start a service on a database. `folder` keeps its tokens and keys (None: for this once)."""
    async with AsyncExitStack() as stack:
        passing = stack.enter_context(tempfile.TemporaryDirectory(prefix="mendgate-bench-"))
        folder = folder or Path(passing)
        token = TokenStore(folder / "tokens.json").create(f"bench-{token_hex(4)}", "admin")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.measured_service", kind, database_url, str(folder),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=_LONGEST_SECONDS, trust_env=False))
        stand = Stand(process, client, token)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(stand.pump())
        try:
            async with asyncio.timeout(_START_SECONDS):
                client.base_url = httpx.URL(await stand.address())
            yield stand
        finally:
            assert process.stdin
            process.stdin.close()
            await process.wait()
