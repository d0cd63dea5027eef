"""The executor on a cluster that changes, refuses, stalls and dies: one write at most, no false word."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from checkpoints.approvals.freezes import FreezeWindow
from checkpoints.ledger import Ledger
from graph.policy import refuse_object
from tests.integration.cluster.executions import (
    Execution,
    Tamper,
    Trick,
    answer,
    approve_patch,
    broken_deployment,
    mend_image,
)
from tools.errors import PermissionDenied
from tools.executor import Executor
from tools.kubernetes.client import Cluster
from tools.kubernetes.patch import APPROVAL_ANNOTATION
from tools.mcp.server import build_server
from tools.mcp.session import ToolSession, in_memory
from tools.sandbox.cluster import SandboxCluster

NAME = "web"


@pytest.fixture
async def sandbox(before: list[Trick], after: list[Trick]) -> AsyncIterator[SandboxCluster]:
    tamper = Middleware(Tamper, before=before, after=after)
    async with SandboxCluster(middleware=[tamper]) as cluster:
        cluster.apply(broken_deployment(NAME))
        yield cluster


@pytest.fixture
async def execution(sandbox: SandboxCluster, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Execution]:
    _, writer = sandbox.write_kubeconfigs(tmp_path)
    async with (
        Cluster.from_kubeconfig(writer, timeout_seconds=5) as cluster,
        ToolSession("writer", in_memory(lambda: build_server(cluster, "writer"))) as session,
    ):
        executor = Executor(cluster, session, ledger.approvals, refuse_object, attempts=3, pause_seconds=0.01)
        yield await approve_patch(ledger, executor, mend_image(NAME), "apr-0000000000000001")


def touch(sandbox: SandboxCluster, **annotations: str) -> None:
    """Change something that the proposal doesn't touch."""
    live = sandbox.find("Deployment", NAME)
    assert live is not None
    live["metadata"]["annotations"] = {**live["metadata"].get("annotations", {}), **annotations}
    sandbox.apply(live)


def set_image(sandbox: SandboxCluster, image: str) -> None:
    live = sandbox.find("Deployment", NAME)
    assert live is not None
    live["spec"]["template"]["spec"]["containers"][0]["image"] = image
    sandbox.apply(live)


def image_of(sandbox: SandboxCluster) -> str:
    live = sandbox.find("Deployment", NAME)
    assert live is not None
    image: str = live["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def test_a_preview_writes_nothing(execution: Execution, sandbox: SandboxCluster) -> None:
    assert sandbox.writes == []
    assert image_of(sandbox) == "nginx:1.25-"
    assert {change.path for change in execution.approval.proposal.diff} == {
        f'metadata.annotations["{APPROVAL_ANNOTATION}"]',
        "spec.template.spec.containers[nginx].image",
    }


async def test_what_was_approved_is_written_once_and_byte_for_byte(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    outcome = await execution.run()

    (write,) = sandbox.writes
    guards = {name: write.body["metadata"].pop(name) for name in ("uid", "resourceVersion")}
    assert outcome.kind == await execution.status() == "applied"
    assert write.body == execution.approval.proposal.arguments.patch_data
    assert guards["uid"] == execution.approval.proposal.target_uid


async def test_executing_again_writes_nothing_more(execution: Execution, sandbox: SandboxCluster) -> None:
    first = await execution.run()
    again = await execution.run()

    assert first == again
    assert len(sandbox.writes) == 1


async def test_an_unrelated_change_does_not_disturb_the_approval(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    touch(sandbox, team="shop")

    assert (await execution.run()).kind == "applied"
    assert image_of(sandbox) == "nginx:1.25"


async def test_a_related_change_supersedes_the_approval(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    set_image(sandbox, "nginx:1.26-")

    assert (await execution.run()).kind == await execution.status() == "superseded"
    assert sandbox.writes == []


async def test_an_object_made_anew_supersedes_the_approval(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    sandbox.delete("Deployment", NAME)
    sandbox.apply(broken_deployment(NAME))

    assert (await execution.run()).kind == "superseded"
    assert sandbox.writes == []


async def test_an_object_that_is_gone_supersedes_the_approval(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    sandbox.delete("Deployment", NAME)

    assert (await execution.run()).kind == "superseded"


async def test_a_conflict_is_tried_again_for_the_new_version(
    execution: Execution, sandbox: SandboxCluster, before: list[Trick]
) -> None:
    async def change_first() -> None:
        touch(sandbox, team="shop")

    before.append(change_first)

    assert (await execution.run()).kind == "applied"
    assert len(sandbox.writes) == 1


async def test_a_storm_of_conflicts_ends_without_a_write(
    execution: Execution, sandbox: SandboxCluster, before: list[Trick]
) -> None:
    before.extend([answer(409, "Conflict")] * 10)

    assert (await execution.run()).kind == "failed"
    assert sandbox.writes == []
    assert len(before) == 7


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (422, "Invalid"), (400, "BadRequest")])
async def test_a_refusal_for_good_is_failed_and_not_repeated(
    execution: Execution, sandbox: SandboxCluster, before: list[Trick], code: int, reason: str
) -> None:
    before.extend([answer(code, reason)] * 2)

    outcome = await execution.run()

    assert outcome.kind == "failed"
    assert reason in outcome.detail
    assert len(before) == 1
    assert sandbox.writes == []


async def test_a_lost_answer_is_settled_by_the_annotation(
    execution: Execution, sandbox: SandboxCluster, after: list[Trick]
) -> None:
    after.append(answer(500, "InternalError"))

    assert (await execution.run()).kind == "applied"
    assert len(sandbox.writes) == 1


async def test_a_lost_answer_and_a_change_since_is_unknown(
    execution: Execution, sandbox: SandboxCluster, after: list[Trick]
) -> None:
    async def roll_back_by_hand() -> JSONResponse:
        set_image(sandbox, "nginx:1.24")
        touch(sandbox, **{APPROVAL_ANNOTATION: "apr-of-somebody-else"})
        return JSONResponse({"kind": "Status", "code": 504}, status_code=504)

    after.append(roll_back_by_hand)

    assert (await execution.run()).kind == await execution.status() == "unknown"
    assert len(sandbox.writes) == 1


async def test_a_server_that_never_takes_it_leaves_the_outcome_unknown(
    execution: Execution, sandbox: SandboxCluster, before: list[Trick]
) -> None:
    before.extend([answer(500, "InternalError")] * 10)

    assert (await execution.run()).kind == "unknown"
    assert sandbox.writes == []


async def test_after_a_crash_a_patch_that_landed_is_found_and_not_repeated(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    live = sandbox.find("Deployment", NAME)
    assert live is not None
    version = live["metadata"]["resourceVersion"]
    await execution.crash_after_intent(version, live["metadata"]["generation"])
    call = execution.approval.proposal.arguments.guarded(live["metadata"]["uid"], version)
    await execution.executor.cluster.patch(
        "deployment", NAME, "default", call.patch_type, call.patch_data, dry_run=False
    )

    assert (await execution.run()).kind == "applied"
    assert len(sandbox.writes) == 1


async def test_after_a_crash_a_patch_that_never_landed_is_sent(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    live = sandbox.find("Deployment", NAME)
    assert live is not None
    await execution.crash_after_intent(live["metadata"]["resourceVersion"], live["metadata"]["generation"])

    assert (await execution.run()).kind == "applied"
    assert len(sandbox.writes) == 1


async def test_after_a_crash_an_object_changed_since_is_a_persons_to_settle(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    await execution.crash_after_intent("1", 1)
    set_image(sandbox, "nginx:1.26")

    assert (await execution.run()).kind == await execution.status() == "unknown"
    assert sandbox.writes == []


async def test_a_patch_that_was_taken_back_by_hand_is_not_repeated(
    execution: Execution, sandbox: SandboxCluster, after: list[Trick]
) -> None:
    async def take_back() -> JSONResponse:
        answered = sandbox.find("Deployment", NAME)
        set_image(sandbox, "nginx:1.25-")
        touch(sandbox, **{APPROVAL_ANNOTATION: "taken-back"})
        return JSONResponse(answered)

    after.append(take_back)

    assert (await execution.run()).kind == "unknown"
    assert len(sandbox.writes) == 1
    assert image_of(sandbox) == "nginx:1.25-"


async def test_after_a_crash_a_patch_that_was_taken_back_by_hand_is_not_repeated(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    live = sandbox.find("Deployment", NAME)
    assert live is not None
    await execution.crash_after_intent(live["metadata"]["resourceVersion"], live["metadata"]["generation"])
    set_image(sandbox, "nginx:1.25")
    set_image(sandbox, "nginx:1.25-")

    assert (await execution.run()).kind == "unknown"
    assert sandbox.writes == []


async def test_a_408_is_no_proof_that_nothing_was_written(
    execution: Execution, sandbox: SandboxCluster, after: list[Trick]
) -> None:
    after.append(answer(408, "Timeout"))

    assert (await execution.run()).kind == "applied"
    assert len(sandbox.writes) == 1


async def test_an_object_that_gitops_took_over_since_the_approval_is_left_alone(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    touch(sandbox, **{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/web"})

    outcome = await execution.run()

    assert outcome.kind == "superseded"
    assert "GitOps" in outcome.detail
    assert sandbox.writes == []


async def test_another_approvals_annotation_does_not_count_as_ours(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    touch(sandbox, **{APPROVAL_ANNOTATION: "apr-of-another-day"})
    await execution.crash_after_intent("1", 1)

    assert (await execution.run()).kind == "unknown"


async def test_a_kill_switch_between_claim_and_write_stops_the_write(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    await execution.ledger.approvals.claim(execution.approval.id, execution.approval.digest, execution.epoch)
    execution.epoch = await execution.ledger.incidents.begin_run(execution.approval.proposal.incident_id)
    await execution.ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    outcome = await execution.run()

    assert outcome.kind == "failed"
    assert "kill switch" in outcome.detail
    assert sandbox.writes == []


async def test_a_stop_before_the_claim_leaves_the_approval_standing(
    execution: Execution, sandbox: SandboxCluster
) -> None:
    now = datetime.now(UTC)
    window = FreezeWindow(starts_at=now, ends_at=now.replace(year=now.year + 1), reason="holidays")
    await execution.ledger.freezes.add(window, by="root")

    assert (await execution.run()).kind == "held"
    assert await execution.status() == "approved"
    assert sandbox.writes == []


async def test_the_readers_credential_can_not_even_preview(sandbox: SandboxCluster, tmp_path: Path) -> None:
    reader, _ = sandbox.write_kubeconfigs(tmp_path)

    async with Cluster.from_kubeconfig(reader) as cluster:
        with pytest.raises(PermissionDenied):
            await cluster.patch("deployment", NAME, "default", "merge", {"spec": {}}, dry_run=True)
