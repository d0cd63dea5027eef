"""A crash between what a node has written to the ledger and its checkpoint: nothing said or done is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from api.config.settings import Settings
from api.rest.proposal_editor import Editor
from api.serving.wiring import editor_for, open_nodes
from api.workers.local_runner import Runner
from checkpoints.approvals.decisions import AlreadyDecided
from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.ledger import Ledger, open_ledger
from checkpoints.savers.opening import open_saver
from graph.builder import Nodes, build_graph
from graph.domain.alerts.payload import AlertGroup
from graph.domain.incident import IncidentStatus
from graph.domain.proposal import Approval
from graph.policy import parse_policy
from tests.integration.cluster.clusters import await_condition
from tests.integration.cluster.executions import Tamper, Trick
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.sandbox import SCENARIOS, SandboxCluster

_QUICK = parse_policy("name: quick\nverification: {window: 1s, budget: 30s}", "quick.yaml")

Fits = Callable[[dict[str, Any]], Any]


@dataclass
class Scene:
    """A runner on a real ledger and saver; the next checkpoint that fits `loses` is lost, once."""

    ledger: Ledger
    nodes: Nodes
    sandbox: SandboxCluster
    runner: Runner
    editor: Editor
    loses: list[Fits]

    async def begin(self) -> str:
        receipt = await self.ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
        (incident_id,) = receipt.incident_ids
        self.runner.wake(incident_id)
        return incident_id

    async def reach(self, incident_id: str, *statuses: IncidentStatus) -> None:
        async def probe() -> bool | None:
            return (await self.ledger.incidents.find(incident_id)).status in statuses or None

        await await_condition(probe, f"{statuses}", 30)

    async def approval(self, incident_id: str) -> Approval:
        async def probe() -> Approval | None:
            ids = (await self.ledger.incidents.find(incident_id)).approval_ids
            return await self.ledger.approvals.find(ids[-1]) if ids else None

        return await await_condition(probe, "a proposal", 30)

    async def approve(self, approval: Approval) -> None:
        await self.ledger.decisions.decide(
            approval.id, by="bob", verdict="approve", digest=approval.digest, reason=""
        )
        self.runner.wake(approval.proposal.incident_id)


@pytest.fixture
async def scene(
    tmp_path: Path, before: list[Trick], after: list[Trick], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    async with AsyncExitStack() as stack:
        tampering = [Middleware(Tamper, before=before, after=after)]
        sandbox = await stack.enter_async_context(SandboxCluster(middleware=tampering))
        await sandbox.break_as(SCENARIOS["image-pull"])
        reader, writer = sandbox.write_kubeconfigs(tmp_path)
        settings = Settings(
            kubeconfig=reader, write_kubeconfig=writer, model=None, mcp_config=None,
        )  # fmt: skip
        ledger = await stack.enter_async_context(open_ledger(url, policy=_QUICK))
        saver = await stack.enter_async_context(open_saver(url))
        loses: list[Fits] = []
        put = saver.aput

        async def lose(config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
            if loses and loses[0](checkpoint["channel_values"]):
                loses.clear()
                raise DatabaseUnavailable("the power is gone")
            return await put(config, checkpoint, metadata, versions)

        monkeypatch.setattr(saver, "aput", lose)
        nodes = await open_nodes(stack, settings, ledger)
        editor = editor_for(nodes, ledger)
        assert editor is not None
        graph = build_graph(nodes, saver)
        runner = await stack.enter_async_context(Runner(graph, ledger, sweep_seconds=0.3).started())
        yield Scene(ledger, nodes, sandbox, runner, editor, loses)


@pytest.mark.parametrize(
    "fits",
    [
        pytest.param(lambda values: values.get("steps") == 2, id="analysis"),
        pytest.param(lambda values: values.get("approval_id"), id="proposal"),
        pytest.param(lambda values: values.get("standing") == "approved", id="gate"),
        pytest.param(lambda values: values.get("outcome"), id="execution"),
        pytest.param(lambda values: values.get("verdict"), id="verification"),
    ],
)
async def test_a_run_whose_checkpoint_was_lost_goes_on_and_writes_once(scene: Scene, fits: Fits) -> None:
    scene.loses.append(fits)

    incident_id = await scene.begin()
    await scene.reach(incident_id, "awaiting_approval")
    await scene.approve(await scene.approval(incident_id))
    await scene.reach(incident_id, "resolved", "failed", "handed_over")

    assert (await scene.ledger.incidents.find(incident_id)).status == "resolved"
    assert len((await scene.ledger.incidents.find(incident_id)).approval_ids) == 1
    assert len(scene.sandbox.writes) == 1
    assert scene.loses == []


async def lose_after_the_proposal(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Approval:
    """Let the run crash once, between storing its proposal and pausing."""
    approvals = scene.nodes.remediation.approvals
    real, armed = approvals.propose, [True]

    async def propose(*given: Any) -> Approval:
        stored = await real(*given)
        if armed:
            armed.pop()
            raise DatabaseUnavailable("the power is gone")
        return stored

    monkeypatch.setattr(approvals, "propose", propose)
    return await scene.approval(await scene.begin())


async def test_a_proposal_stored_before_a_crash_is_waited_for_after_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = await lose_after_the_proposal(scene, monkeypatch)

    await scene.reach(approval.proposal.incident_id, "awaiting_approval")

    incident = await scene.ledger.incidents.find(approval.proposal.incident_id)
    assert incident.approval_ids == (approval.id,)


async def test_a_rejection_of_what_was_proposed_before_a_crash_is_heard(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = await lose_after_the_proposal(scene, monkeypatch)

    await scene.ledger.decisions.decide(approval.id, by="bob", verdict="reject", digest=None, reason="no")
    scene.runner.wake(approval.proposal.incident_id)
    await scene.reach(approval.proposal.incident_id, "rejected", "handed_over", "failed")

    incident = await scene.ledger.incidents.find(approval.proposal.incident_id)
    assert (incident.status, incident.approval_ids) == ("rejected", (approval.id,))
    assert scene.sandbox.writes == []


async def test_an_edit_of_what_was_proposed_before_a_crash_stands(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = await lose_after_the_proposal(scene, monkeypatch)
    containers = [{"name": "nginx", "image": "nginx:1.26"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    arguments = approval.proposal.arguments.as_json() | {"patchData": patch}

    edited = await scene.editor.edit(approval.id, arguments, by="bob", digest=approval.digest, reason="")
    await scene.approve(edited)
    await scene.reach(approval.proposal.incident_id, "resolved", "failed", "handed_over")

    assert (await scene.ledger.approvals.find(edited.id)).status == "applied"
    assert len(scene.sandbox.writes) == 1


async def lie() -> JSONResponse:
    """Say that the patch was taken, and don't take it."""
    return JSONResponse({"kind": "Deployment", "metadata": {"resourceVersion": "1"}})


async def test_a_resolution_is_heard_although_the_runs_end_was_lost(
    scene: Scene, before: list[Trick]
) -> None:
    before.append(lie)
    scene.loses.append(lambda values: values.get("report"))
    incident_id = await scene.begin()
    await scene.reach(incident_id, "awaiting_approval")
    approval = await scene.approval(incident_id)
    await scene.approve(approval)
    await scene.reach(incident_id, "handed_over")

    await scene.ledger.settlements.resolve(approval.id, finding="not_applied", by="bob", reason="I looked")
    scene.runner.wake(incident_id)
    await scene.reach(incident_id, "failed")

    assert "nothing was written" in (await scene.ledger.incidents.find(incident_id)).reason
    assert scene.sandbox.writes == []


async def test_a_resolution_waits_until_the_run_has_ended(
    scene: Scene, before: list[Trick], monkeypatch: pytest.MonkeyPatch
) -> None:
    before.append(lie)
    goes_on, incidents = asyncio.Event(), scene.nodes.conclusion.incidents
    real = incidents.case_file

    async def held(incident_id: str) -> Any:
        await goes_on.wait()
        return await real(incident_id)

    incident_id = await scene.begin()
    await scene.reach(incident_id, "awaiting_approval")
    approval = await scene.approval(incident_id)
    monkeypatch.setattr(incidents, "case_file", held)  # from now on only the report reads it
    await scene.approve(approval)

    async def unknown() -> bool | None:
        return (await scene.ledger.approvals.find(approval.id)).status == "unknown" or None

    await await_condition(unknown, "an unknown outcome", 30)
    with pytest.raises(AlreadyDecided, match="on its way to its end"):
        await scene.ledger.settlements.resolve(approval.id, finding="applied", by="bob", reason="I looked")
    goes_on.set()
    await scene.reach(incident_id, "handed_over")
    await scene.ledger.settlements.resolve(approval.id, finding="not_applied", by="bob", reason="I looked")
    scene.runner.wake(incident_id)

    await scene.reach(incident_id, "failed")
