"""A real ledger behind the real app, and a runner that only remembers whom it was to wake."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.routing import BaseRoute

from api.config.roles import Role
from api.identity.tokens import TokenStore
from api.observability.metrics import Metrics
from api.rest.dependencies import AppDependencies
from api.serving.app import create_app
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.ids import new_id
from graph.domain.notifications import Subscriber
from graph.domain.proposal import ApprovalTerms, Proposal, UndoPlan, VerificationPlan
from graph.policy import BUILT_IN, Policy
from tools.grants import ExecutingServer
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import PatchArguments

SEED = Path(__file__).parents[2] / "data" / "alertmanager-webhook.json"
_TARGET = Target(kind="Deployment", namespace="default", name="nginx-deployment")
PEOPLE: dict[str, Role] = {
    "alice": "approver",
    "bob": "approver",
    "ingest": "ingest",
    "viewer": "viewer",
    "admin": "admin",
}
_IMAGE = "spec.template.spec.containers[nginx].image"


@dataclass
class RestService:
    """The app with all that a test wants to look at behind it."""

    app: FastAPI
    dependencies: AppDependencies
    ledger: Ledger
    client: httpx.AsyncClient
    store: TokenStore
    tokens: dict[str, str]
    woken: list[str] = field(default_factory=list)
    retried: list[tuple[str, str]] = field(default_factory=list)
    opened: int = 0

    def as_(self, name: str) -> dict[str, str]:
        """Return the headers of alice or bob (approvers), or of the holder of the role `name`."""
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    async def open_incident(self) -> str:
        """Deliver the seed's alert, about another Deployment each time, and return its incident."""
        self.opened += 1
        raw = SEED.read_bytes().replace(b"nginx-deployment", f"nginx-{self.opened}".encode())
        for fingerprint in (b"c15863890ad1ba9a", b"6619e1f4a8198245", b"cefa778fbb4bc8b4"):
            raw = raw.replace(fingerprint, fingerprint + f"-{self.opened}".encode())
        return (await self.ledger.intake.accept(AlertGroup.model_validate_json(raw), raw)).incident_ids[0]

    async def propose(self, *, image: str = "nginx:1.25", incident_id: str = "", **terms: Any) -> Proposal:
        """Let a run of a new incident (or of the given one) propose to set the image."""
        incident_id = incident_id or await self.open_incident()
        epoch = await self.ledger.incidents.begin_run(incident_id)
        proposed = make_proposal(incident_id, image)
        return (await self.ledger.approvals.propose(proposed, epoch, ApprovalTerms(**terms))).proposal

    async def edit(self, first: Proposal, *, by: str, image: str = "nginx:1.26", **terms: Any) -> Proposal:
        """Let a person edit a pending proposal, as the service does after its preview."""
        edited = make_proposal(first.incident_id, image)
        approval = await self.ledger.decisions.edit(
            first.id, edited, ApprovalTerms(**terms), by=by, digest=first.digest, reason=""
        )
        return approval.proposal


def make_proposal(incident_id: str, image: str = "nginx:1.25") -> Proposal:
    """Return a proposal to set the image of the seed's Deployment."""
    approval_id = new_id("apr")
    containers = [{"name": "nginx", "image": image}]
    call = PatchArguments(
        resource_type="deployment",
        name="nginx-deployment",
        namespace="default",
        patch_data={"spec": {"template": {"spec": {"containers": containers}}}},
    )
    return Proposal(
        id=approval_id,
        incident_id=incident_id,
        purpose="fix",
        arguments=call.stamped(approval_id, {}),
        server=ExecutingServer(name="mendgate-kubernetes", version="0.1.0", schema_sha256="0" * 64),
        target=_TARGET,
        target_uid=f"uid-of-{incident_id}",
        diff=(FieldChange(path=_IMAGE, before="nginx:1.25-", after=image),),
        grounding="last_good_revision",
        basis=f"{image} ran in revision 1",
        risk="low",
        verification_plan=VerificationPlan(
            workload=_TARGET, predicates=("rollout_complete",), window_seconds=60, budget_seconds=600
        ),
        undo_plan=UndoPlan(summary="Set the image back to nginx:1.25-", call=None),
        policy_version=BUILT_IN.version,
    )


@asynccontextmanager
async def open_rest_service(
    folder: Path,
    database_url: str = "",
    policy: Policy = BUILT_IN,
    subscribers: Sequence[Subscriber] = (),
) -> AsyncIterator[RestService]:
    """Open a ledger and a token file in the folder, with five people, and the app before them."""
    store = TokenStore(folder / "tokens.json")
    tokens = _write_people(store.path)
    woken: list[str] = []
    retried: list[tuple[str, str]] = []
    url = database_url or f"sqlite+aiosqlite:///{folder}/ledger.db"
    metrics = Metrics()
    opening = open_ledger(url, folder / "audit.key", policy, tell=metrics.note, subscribers=subscribers)
    async with opening as ledger:

        async def retry(incident_id: str, by: str) -> None:
            await ledger.incidents.retry(incident_id, by, afresh=False)
            retried.append((incident_id, by))

        dependencies = AppDependencies(
            ledger=ledger, wake=woken.append, retry=retry, tokens=store, metrics=metrics
        )
        app = create_app(dependencies)
        app.router.routes = [*_routes()]
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield RestService(app, dependencies, ledger, client, store, dict(tokens), woken, retried)


def _write_people(path: Path) -> Mapping[str, str]:
    """Write the token file, in a folder that is made, and return the tokens in it."""
    document, tokens = _people()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document)
    path.chmod(0o600)
    return tokens


@cache
def _people() -> tuple[bytes, Mapping[str, str]]:
    """Return a token file and the tokens in it: five are written as durably as five commits."""
    with TemporaryDirectory() as folder:
        store = TokenStore(Path(folder) / "tokens.json")
        tokens = {name: store.create(name, role) for name, role in PEOPLE.items()}
        return store.path.read_bytes(), tokens


@cache
def _routes() -> list[BaseRoute]:
    """Return an app's routes, which don't know it: to work them out takes longer than most tests."""
    nobody: Any = SimpleNamespace(metrics=None)
    return create_app(nobody).router.routes
