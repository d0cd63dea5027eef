"""One incident from its alert to its end, through the death of its service, as those outside see it."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Literal

import httpx
from starlette.middleware import Middleware

from api.config.roles import Role
from api.config.settings import Settings
from api.identity.tokens import TokenStore
from tests.acceptance.services import ENDS
from tests.acceptance.workloads import real_body
from tests.crash.boundaries import AtServer, Kill
from tests.crash.killing_proxy import KillingProxy
from tests.crash.service_process import live
from tools.sandbox import SandboxCluster
from tools.sandbox.api_server.images import Catalogue, ImageRule
from tools.sandbox.controllers.timing import SandboxTiming
from tools.sandbox.scenarios import IMAGE_PULL

Fix = Literal["right", "wrong"]
Meddle = Callable[[SandboxCluster], None]
_POLL_SECONDS = 0.25
_START_SECONDS = 120.0
_STUCK_SECONDS = 300.0
_DEATH_SECONDS = 3.0
_BUDGETS: dict[Fix, str] = {"right": "120s", "wrong": "2s"}
_ROLES: tuple[Role, ...] = ("ingest", "approver", "admin")
_PACE = SandboxTiming(pull=0.1, start=0.05, report=0.1, first_backoff=600.0, longest_backoff=600.0, stop=0.1)


@dataclass(frozen=True)
class Course:
    """How it went. `writes` are the approvals' ids in the patches that the API server took, in order."""

    fix: Fix
    kills: int
    seconds: float
    incident: dict[str, Any]
    approvals: tuple[dict[str, Any], ...]
    report: str
    audit: dict[str, Any]
    writes: tuple[str, ...]
    is_healthy: bool
    log: str


def _leave(_cluster: SandboxCluster) -> None:
    """Do nothing."""


class Stuck(AssertionError):
    """The incident didn't come to its end."""


@dataclass
class Pursuit:
    """Keeps a service alive on one database, delivers the alert and approves whatever is proposed.

    Each of `kills` is for one life of the service, in turn; the last life has none.
    """

    folder: Path
    settings: Settings
    context: ForkServerContext
    tokens: Mapping[Role, str]
    kills: list[Kill]
    gatehouse: KillingProxy
    client: httpx.AsyncClient
    meddle: Callable[[], None]
    dead: int = 0
    _life: Any = None
    _armed: Kill | None = None
    _url: str = ""
    _incident_id: str = ""

    async def strike(self) -> None:
        """Kill the present life, when its kill says."""
        assert self._armed
        await asyncio.sleep(self._armed.delay_seconds)
        self._life.kill()
        await asyncio.to_thread(self._life.join)

    async def reach_end(self) -> dict[str, Any]:
        """Return the incident once it has ended and every kill has been done."""
        while True:
            if self._life is None or not self._life.is_alive():
                await self._begin_life()
            try:
                incident = await self._look()
                if incident["status"] in ENDS and not await self._awaits_death():
                    return incident
            except httpx.TransportError:
                continue  # killed: the next life is asked
            await asyncio.sleep(_POLL_SECONDS)

    async def request(self, method: str, path: str, role: Role = "admin", **options: Any) -> httpx.Response:
        """Send one request to the present life."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return await self.client.request(method, self._url + path, headers=headers, **options)

    async def get(self, path: str) -> Any:
        """Return a document."""
        answer = await self.request("GET", path)
        assert answer.is_success, answer.text
        return answer.json()

    def end(self) -> None:
        """Kill the last life."""
        if self._life is not None:
            self._life.kill()
            self._life.join()

    async def _begin_life(self) -> None:
        if self._life is not None:
            self.dead += 1
            self.meddle()
        self._armed = self.kills.pop(0) if self.kills else None
        place = self._armed.boundary.place if self._armed else None
        self.gatehouse.place = place if isinstance(place, AtServer) else None
        ours, theirs = self.context.Pipe(duplex=False)
        self._life = self.context.Process(
            target=live, args=(self.settings, self._armed, self.folder / "log", theirs)
        )
        self._life.start()
        theirs.close()
        try:
            if await asyncio.to_thread(ours.poll, _START_SECONDS):
                self._url = ours.recv()
        except EOFError:
            pass  # killed while it started
        finally:
            ours.close()

    async def _look(self) -> dict[str, Any]:
        if not self._incident_id:  # as Alertmanager does until it has its 202
            answer = await self.request("POST", "/v1/webhooks/alertmanager", "ingest", json=real_body())
            assert answer.status_code == 202, answer.text
            (self._incident_id,) = answer.json()["incident_ids"]
        incident: dict[str, Any] = await self.get(f"/v1/incidents/{self._incident_id}")
        if incident["status"] == "awaiting_approval":
            await self._approve(incident["approval_ids"][-1])
        return incident

    async def _approve(self, approval_id: str) -> None:
        approval = await self.get(f"/v1/approvals/{approval_id}")
        if approval["status"] == "pending":
            body = {"digest": approval["digest"], "reason": "as tested"}
            await self.request("POST", f"/v1/approvals/{approval_id}/approve", "approver", json=body)

    async def _awaits_death(self) -> bool:
        """Whether this life was to be killed; wait for it, if it is a matter of its delay only."""
        if self._armed:
            await asyncio.to_thread(self._life.join, _DEATH_SECONDS)
        return bool(self._armed) and not self._life.is_alive()


async def run_course(  # noqa: PLR0913 -- each is a choice of the test, most by name
    kills: list[Kill],
    fix: Fix,
    *,
    database_url: str,
    folder: Path,
    context: ForkServerContext,
    meddle: Meddle = _leave,
) -> Course:
    """Break something, deliver its alert, and follow the incident to its end.

    `meddle` is what somebody does to the cluster whenever the service is dead.
    """
    began = time.monotonic()
    async with _pursuing(kills, fix, database_url, folder, context, meddle) as (pursuit, cluster):
        try:
            async with asyncio.timeout(_STUCK_SECONDS):
                incident = await pursuit.reach_end()
        except TimeoutError:
            raise Stuck(
                f"no end after {_STUCK_SECONDS:g} s: {(folder / 'log').read_text()[-4000:]}"
            ) from None
        return Course(
            fix=fix,
            kills=pursuit.dead,
            seconds=time.monotonic() - began,
            incident=incident,
            approvals=tuple([await pursuit.get(f"/v1/approvals/{one}") for one in incident["approval_ids"]]),
            report=(await pursuit.request("GET", f"/v1/incidents/{incident['id']}/report")).text,
            audit=await pursuit.get("/v1/audit/verify"),
            writes=tuple(_approval_of(write.body) for write in cluster.writes),
            is_healthy=IMAGE_PULL.is_healthy(
                [pod for pod in cluster.select("Pod", "default") if IMAGE_PULL.owns(pod)]
            ),
            log=(folder / "log").read_text(),
        )


@asynccontextmanager
async def _pursuing(  # noqa: PLR0913, PLR0917 -- as above
    kills: list[Kill],
    fix: Fix,
    database_url: str,
    folder: Path,
    context: ForkServerContext,
    meddle: Meddle,
) -> AsyncIterator[tuple[Pursuit, SandboxCluster]]:
    catalogue = Catalogue({"nginx": ImageRule(frozenset({"1.25"}), frozenset({80}))})
    gatehouse = KillingProxy()
    around = Middleware(gatehouse.around)
    async with SandboxCluster(pace=_PACE, catalogue=catalogue, middleware=[around]) as cluster:
        await cluster.break_as(IMAGE_PULL)
        if fix == "wrong":  # the registry has lost what ran before: the fix is as bad as the fault
            catalogue.images["nginx"] = ImageRule(frozenset({"1.24"}))
        policy = folder / "policy.yaml"
        policy.write_text(f"name: quick\nverification: {{window: 1s, budget: {_BUDGETS[fix]}}}\n")
        store = TokenStore(folder / "tokens.json")
        reader, writer = cluster.write_kubeconfigs(folder)
        settings = Settings(
            kubeconfig=reader, write_kubeconfig=writer, database_url=database_url, port=0,
            tokens=folder / "tokens.json", audit_key=folder / "audit.key", model=None, mcp_config=None,
            policy=policy,
        )  # fmt: skip
        tokens = {role: store.create(f"test-{role}", role) for role in _ROLES}
        async with httpx.AsyncClient(timeout=30, verify=False) as client:  # nothing is encrypted on loopback
            pursuit = Pursuit(
                folder, settings, context, tokens, list(kills), gatehouse, client, lambda: meddle(cluster)
            )
            gatehouse.strike = pursuit.strike
            try:
                yield pursuit, cluster
            finally:
                await asyncio.to_thread(pursuit.end)


def _approval_of(patch: Any) -> str:
    (approval_id,) = set(re.findall(r"apr-[0-9a-f]+", json.dumps(patch)))
    return str(approval_id)
