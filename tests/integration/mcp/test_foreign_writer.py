"""The executor with npm's mcp-server-kubernetes, on a real API server: what it gets is recorded."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from checkpoints.ledger import open_ledger
from graph.policy import refuse_object
from tests.acceptance.workloads import read
from tests.integration.cluster.clusters import ClusterUnderTest
from tests.integration.cluster.executions import Execution, approve_patch, broken_deployment, mend_image
from tests.integration.mcp.foreign_servers import npm_entry, open_real_cluster
from tools.executor import Executor
from tools.grants import Grants
from tools.kubernetes.client import Cluster
from tools.kubernetes.patch import APPROVAL_ANNOTATION, PatchArguments, PatchType
from tools.mcp.config_file import read_mcp_config
from tools.mcp.session import ToolSession

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALLOWED = {"resourceType", "name", "namespace", "patchType", "patchData"}
HOSTILE = "it's \"quoted\" $(id) `id` ${HOME} \\n\n\t; --dry-run=client && \\ 漢字 é 🎉 %s {{x}} '"
# sh runs these: what goes to the server, and what it hands to kubectl, is written down on its way
TAP = 'tee -a "$0/requests" | exec node "$1"'
KUBECTL = """#!/bin/sh
before=
for argument; do
    printf '%s\\n' "$argument" >> "$RECORDS/kubectl"
    [ "$before" = --patch-file ] && cp "$argument" "$RECORDS/patch-$$.json"
    before=$argument
done
exec {kubectl} "$@"
"""


@dataclass
class Recorded:
    """A session with the server of role writer, and what it was sent so far."""

    session: ToolSession
    folder: Path

    def calls(self) -> list[dict[str, Any]]:
        """Return the tool calls in the order in which they were sent."""
        lines = (self.folder / "requests").read_text(encoding="utf-8").split("\n")
        requests = (json.loads(line) for line in lines if line)
        return [one["params"] for one in requests if one.get("method") == "tools/call"]

    def patch_files(self) -> list[Any]:
        """Return the documents that kubectl was given."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in self.folder.glob("patch-*.json")]

    def kubectl_arguments(self) -> list[str]:
        """Return all that kubectl was started with."""
        return (self.folder / "kubectl").read_text(encoding="utf-8").splitlines()

    def forget(self) -> None:
        """Forget what was recorded."""
        for name in ("requests", "kubectl"):
            (self.folder / name).write_text("")
        for path in self.folder.glob("patch-*.json"):
            path.unlink()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster() -> AsyncIterator[ClusterUnderTest]:
    real = open_real_cluster()
    yield real
    await real.clean()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(
    cluster: ClusterUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Recorded]:
    """Open the writer as the service does, from its file."""
    folder = tmp_path_factory.mktemp("records")
    kubectl = folder / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL.format(kubectl=shutil.which("kubectl")))
    kubectl.chmod(0o755)
    entry = npm_entry(
        ALLOWED_TOOLS="kubectl_patch", RECORDS=str(folder), PATH=f"{kubectl.parent}:{os.environ['PATH']}"
    )
    entry |= {
        "command": "sh",
        "args": ["-c", TAP, str(folder), *entry["args"]],
        "mendgate": {"role": "writer"},
    }
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"npm": entry}}))
    config = read_mcp_config(file, os.environ)
    session = config.open_writer(cluster.writer_kubeconfig)
    assert session is not None
    assert config.open_readers(cluster.reader_kubeconfig) == {}
    async with session:
        await session.start()
        yield Recorded(session, folder)


@pytest.fixture
def writer(opened: Recorded) -> Recorded:
    opened.forget()
    return opened


@asynccontextmanager
async def approved(
    cluster: ClusterUnderTest,
    writer: Recorded,
    folder: Path,
    call: PatchArguments,
    meddle: Callable[[], Awaitable[Any]] | None = None,
) -> AsyncIterator[Execution]:
    """Yield an approved patch; `meddle` happens once, right before it is sent."""
    async with (
        open_ledger(f"sqlite+aiosqlite:///{folder}/ledger.db") as ledger,
        Cluster.from_kubeconfig(cluster.writer_kubeconfig) as client,
    ):
        grants: Grants = Meddled(ledger.approvals, meddle) if meddle else ledger.approvals
        executor = Executor(client, writer.session, grants, refuse_object, pause_seconds=0.01)
        yield await approve_patch(ledger, executor, call, f"apr-{cluster.unique('npm')}")


class Meddled:
    """The ledger's grants, with something done behind the executor's back after its intent is stored."""

    def __init__(self, grants: Grants, meddle: Callable[[], Awaitable[Any]]) -> None:
        self._pending = [meddle]
        self.claim = grants.claim
        self.record_outcome = grants.record_outcome
        self._record_intent = grants.record_intent

    async def record_intent(
        self, approval_id: str, epoch: int, *, resource_version: str, generation: int, expected: str
    ) -> None:
        await self._record_intent(
            approval_id, epoch, resource_version=resource_version, generation=generation, expected=expected
        )
        if self._pending:
            await self._pending.pop()()


async def test_the_writer_can_do_nothing_but_patch(opened: Recorded) -> None:
    assert list(await opened.session.tools()) == ["kubectl_patch"]


async def test_what_was_approved_reaches_kubectl_once_and_byte_for_byte(
    cluster: ClusterUnderTest, writer: Recorded, tmp_path: Path
) -> None:
    name = cluster.unique("foreign-write")
    await cluster.apply(broken_deployment(name))

    async with approved(cluster, writer, tmp_path, mend_image(name)) as execution:
        first, again = await execution.run(), await execution.run()

    live = await read(cluster, name)
    *refused, call = (
        writer.calls()
    )  # the status may have moved: a 409, and the same again for the new version
    patch = next(one for one in writer.patch_files() if one == call["arguments"]["patchData"])
    proposal = execution.approval.proposal
    guards = {one: call["arguments"]["patchData"]["metadata"].pop(one) for one in ("uid", "resourceVersion")}
    assert first.kind == again.kind == "applied"
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"
    assert live["metadata"]["annotations"][APPROVAL_ANNOTATION] == execution.approval.id
    assert live["metadata"]["generation"] == 2
    assert len(writer.patch_files()) == len(refused) + 1
    assert call["name"] == "kubectl_patch"
    assert set(call["arguments"]) == ALLOWED
    assert call["arguments"] == proposal.arguments.as_json()
    assert guards["uid"] == proposal.target_uid
    assert patch == {
        **call["arguments"]["patchData"],
        "metadata": {**call["arguments"]["patchData"]["metadata"], **guards},
    }
    assert (proposal.server.name, proposal.server.version) == ("kubernetes", "4.1.7")


async def test_an_object_that_moved_is_a_conflict_and_the_patch_is_made_anew(
    cluster: ClusterUnderTest, writer: Recorded, tmp_path: Path
) -> None:
    name = cluster.unique("foreign-conflict")
    deployment = broken_deployment(name)
    await cluster.apply(deployment)

    async def touch() -> None:
        deployment["metadata"]["labels"] = {"team": "shop"}
        await cluster.apply(deployment)

    async with approved(cluster, writer, tmp_path, mend_image(name), touch) as execution:
        outcome = await execution.run()

    live = await read(cluster, name)
    versions = [one["arguments"]["patchData"]["metadata"]["resourceVersion"] for one in writer.calls()]
    assert outcome.kind == "applied"
    assert len(set(versions)) == len(versions) == 2
    assert live["metadata"]["labels"]["team"] == "shop"
    assert live["metadata"]["annotations"][APPROVAL_ANNOTATION] == execution.approval.id
    assert live["metadata"]["generation"] == 2, "one of the two was let in"


async def test_a_refusal_is_told_from_an_unknown_outcome(
    cluster: ClusterUnderTest, writer: Recorded, tmp_path: Path
) -> None:
    name = cluster.unique("foreign-gone")
    await cluster.apply(broken_deployment(name))

    async def delete() -> None:
        await cluster.delete("Deployment", name)

    async with approved(cluster, writer, tmp_path, mend_image(name), delete) as execution:
        outcome = await execution.run()

    assert (outcome.kind, len(writer.calls())) == ("failed", 1)
    assert "NotFound" in outcome.detail


@pytest.mark.parametrize("patch_type", ["strategic", "merge", "json"])
async def test_every_kind_of_patch_carries_hostile_values_unharmed(
    cluster: ClusterUnderTest, writer: Recorded, tmp_path: Path, patch_type: PatchType
) -> None:
    name = cluster.unique("foreign-hostile")
    deployment = broken_deployment(name)
    deployment["metadata"]["annotations"] = {"team": "shop"}
    await cluster.apply(deployment)
    environment = [{"name": "HOSTILE", "value": HOSTILE}]
    container = {"name": "nginx", "image": "nginx:1.25", "env": environment}
    document: Any = {"spec": {"template": {"spec": {"containers": [container]}}}}
    if patch_type == "json":
        document = [{"op": "replace", "path": "/spec/template/spec/containers/0", "value": container}]
    call = PatchArguments(
        resource_type="deployment", name=name, namespace="default", patch_type=patch_type, patch_data=document
    )

    async with approved(cluster, writer, tmp_path, call) as execution:
        outcome = await execution.run()

    live = (await read(cluster, name))["spec"]["template"]["spec"]["containers"][0]
    sent = writer.calls()  # more than one where the status has moved meanwhile: a 409 each
    assert outcome.kind == "applied", outcome
    assert live["env"] == environment
    assert all(one["arguments"]["patchData"] in writer.patch_files() for one in sent)
    assert all(set(one["arguments"]) == ALLOWED for one in sent)
    assert f"--type\n{patch_type}" in "\n".join(writer.kubectl_arguments())


async def test_the_patch_waits_for_kubectl_in_a_folder_of_its_own(
    cluster: ClusterUnderTest, writer: Recorded, tmp_path: Path
) -> None:
    name = cluster.unique("foreign-folder")
    await cluster.apply(broken_deployment(name))

    async with approved(cluster, writer, tmp_path, mend_image(name)) as execution:
        await execution.run()

    arguments = writer.kubectl_arguments()
    file = Path(arguments[arguments.index("--patch-file") + 1])
    assert file.parent.name.startswith("mendgate-")
    assert (file.parent.stat().st_mode & 0o077, list(file.parent.iterdir())) == (0, [])
