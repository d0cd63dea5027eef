"""A service in this process, whose real API server, disk, database or clock goes wrong at a chosen moment."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.config.settings import Settings
from api.serving.wiring import Service, open_service
from checkpoints.db.errors import DatabaseUnavailable
from graph.domain.alerts.payload import AlertGroup
from graph.domain.incident import Incident, IncidentStatus
from graph.domain.proposal import Approval
from tests.acceptance.services import ENDS
from tests.integration.cluster.clusters import await_condition
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.sandbox import SCENARIOS, SandboxCluster

# Whether the request is met by the fault.
Meets = Callable[[Request], bool]
# Does what it likes; False lets the server answer.
Fault = Callable[[Scope, Receive, Send], Awaitable[bool]]
_SECONDS = 90


def is_dry_run(request: Request) -> bool:
    """Whether it is a preview."""
    return request.method == "PATCH" and "dryRun" in request.query_params


def is_patch(request: Request) -> bool:
    """Whether it is the real patch."""
    return request.method == "PATCH" and "dryRun" not in request.query_params


def is_read(request: Request) -> bool:
    """Whether it only looks."""
    return request.method == "GET"


def answer(code: int) -> Fault:
    """Return the fault of a server that answers with an error Status."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> bool:
        status = {"kind": "Status", "status": "Failure", "code": code, "message": "as tested"}
        await JSONResponse(status, status_code=code)(scope, receive, send)
        return True

    return refuse


async def hang(scope: Scope, receive: Receive, send: Send) -> bool:
    """Say nothing until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return True


@dataclass
class Sky:
    """The faults to come: each meets the first so many requests that fit it."""

    faults: list[tuple[Meets, Fault, int]] = field(default_factory=list)
    met: int = 0

    def cloud(self, meets: Meets, fault: Fault, times: int = 10**6) -> None:
        """Let the next requests that fit meet a fault."""
        self.faults.append((meets, fault, times))

    def over(self, app: ASGIApp) -> ASGIApp:
        """Return the application under this sky."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            fault = self._next(Request(scope)) if scope["type"] == "http" else None
            if fault is None or not await fault(scope, receive, send):
                await app(scope, receive, send)

        return serve

    def _next(self, request: Request) -> Fault | None:
        for number, (meets, fault, times) in enumerate(self.faults):
            if times and meets(request):
                self.faults[number] = (meets, fault, times - 1)
                self.met += 1
                return fault
        return None


@dataclass
class FaultyService:
    """A service and what it depends on."""

    service: Service
    sandbox: SandboxCluster
    sky: Sky
    incident_id: str = ""

    async def begin(self) -> None:
        """Deliver the alert."""
        group = AlertGroup.model_validate(real_body())
        (self.incident_id,) = (await self.service.ledger.intake.accept(group, b"{}")).incident_ids
        self.service.runner.wake(self.incident_id)

    async def reach(self, *statuses: IncidentStatus) -> Incident:
        """Wait until the incident has one of the statuses."""

        async def probe() -> Incident | None:
            try:
                incident = await self.service.ledger.incidents.find(self.incident_id)
            except DatabaseUnavailable:
                return None  # a person would ask again
            assert incident.status in statuses or incident.status not in ENDS, incident
            return incident if incident.status in statuses else None

        return await await_condition(probe, f"{statuses}", _SECONDS)

    async def approve(self) -> Approval:
        """Wait for a proposal, and approve it."""
        incident = await self.reach("awaiting_approval")
        return await self.approve_now(incident.approval_ids[-1])

    async def approve_now(self, approval_id: str) -> Approval:
        """Approve a proposal."""
        ledger = self.service.ledger
        approval = await ledger.approvals.find(approval_id)
        await ledger.decisions.decide(
            approval.id, by="bob", verdict="approve", digest=approval.digest, reason=""
        )
        self.service.runner.wake(self.incident_id)
        return approval

    async def report(self) -> str:
        """Return the report."""
        return await self.service.ledger.incidents.report(self.incident_id) or ""


@asynccontextmanager
async def open_faulty_service(
    folder: Path, database_url: str = "", budget_seconds: int = 60
) -> AsyncIterator[FaultyService]:
    """Open a service on a sandbox cluster whose Deployment has a typo in its image."""
    sky = Sky()
    middleware = [Middleware(sky.over)]
    async with SandboxCluster(middleware=middleware) as sandbox:
        await sandbox.break_as(SCENARIOS["image-pull"])
        reader, writer = sandbox.write_kubeconfigs(folder)
        policy = folder / "policy.yaml"
        policy.write_text(f"name: quick\nverification: {{window: 1s, budget: {budget_seconds}s}}\n")
        settings = Settings(
            kubeconfig=reader, write_kubeconfig=writer, model=None, mcp_config=None,
            database_url=database_url or f"sqlite+aiosqlite:///{folder}/ledger.db",
            audit_key=folder / "audit.key",
            policy=policy,
        )  # fmt: skip
        async with open_service(settings) as service, service.working():
            yield FaultyService(service, sandbox, sky)
