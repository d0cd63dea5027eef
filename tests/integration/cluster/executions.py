"""What the executor's tests share: an approved patch of a broken Deployment, and HTTP that goes wrong."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.proposal import Approval
from graph.proposals.planning import plan_undo
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.executor import Executor
from tools.grants import Outcome
from tools.kubernetes.patch import PatchArguments


def broken_deployment(name: str) -> dict[str, Any]:
    """Return a Deployment whose image can't be pulled."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "nginx", "image": "nginx:1.25-"}]},
            },
        },
    }


def mend_image(name: str, image: str = "nginx:1.25") -> PatchArguments:
    """Return the patch that gives the container another image."""
    containers = [{"name": "nginx", "image": image}]
    return PatchArguments(
        resource_type="deployment",
        name=name,
        namespace="default",
        patch_data={"spec": {"template": {"spec": {"containers": containers}}}},
    )


@dataclass
class Execution:
    """One approved proposal, and the run that may execute it."""

    ledger: Ledger
    executor: Executor
    approval: Approval
    epoch: int

    async def run(self) -> Outcome:
        """Execute it."""
        return await self.executor.execute(self.approval.id, self.approval.digest, self.epoch)

    async def status(self) -> str:
        """Return the approval's status in the ledger."""
        return (await self.ledger.approvals.find(self.approval.id)).status

    async def crash_after_intent(self, resource_version: str, generation: int, expected: str = "") -> None:
        """Leave behind what a run leaves that dies after its intent; another run takes over."""
        await self.ledger.approvals.claim(self.approval.id, self.approval.digest, self.epoch)
        await self.ledger.approvals.record_intent(
            self.approval.id, self.epoch, resource_version=resource_version, generation=generation,
            expected=expected,
        )  # fmt: skip
        self.epoch = await self.ledger.incidents.begin_run(self.approval.proposal.incident_id)


async def approve_patch(
    ledger: Ledger, executor: Executor, call: PatchArguments, approval_id: str
) -> Execution:
    """Preview, propose and approve one patch."""
    receipt = await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    (incident_id,) = receipt.incident_ids
    epoch = await ledger.incidents.begin_run(incident_id)
    preview = await executor.preview(call, approval_id)
    proposal = make_proposal(
        id=approval_id,
        incident_id=incident_id,
        arguments=preview.arguments,
        server=preview.server,
        target=Target(kind=preview.kind, namespace=call.namespace, name=call.name),
        target_uid=preview.uid,
        diff=preview.diff,
        undo_plan=plan_undo(preview),
    )
    approval = await ledger.approvals.propose(proposal, epoch)
    await ledger.decisions.decide(
        approval.id, by="alice", verdict="approve", digest=approval.digest, reason=""
    )
    return Execution(ledger, executor, approval, epoch)


Trick = Callable[[], Awaitable[JSONResponse | None]]


class Tamper:
    """ASGI middleware that plays tricks on real patches (dry-runs pass), one trick per patch, in turn.

    `before` tricks may answer instead of the server; `after` tricks replace the server's answer.
    """

    def __init__(self, app: ASGIApp, before: list[Trick], after: list[Trick]) -> None:
        self._app = app
        self._before = before
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "PATCH" or "dryRun" in Request(scope).query_params:
            await self._app(scope, receive, send)
            return
        if self._before and (answer := await self._before.pop(0)()):
            await answer(scope, receive, send)
            return
        if not self._after:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _swallow)
        if answer := await self._after.pop(0)():
            await answer(scope, receive, send)


async def _swallow(_message: Any) -> None:
    """Lose the server's own answer."""


def answer(code: int, reason: str) -> Trick:
    """Return a trick that answers with an error Status."""

    async def trick() -> JSONResponse:
        status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason}
        return JSONResponse(status, status_code=code)

    return trick
