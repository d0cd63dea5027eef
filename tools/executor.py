"""The executor alone holds the write credential. It can do two things: preview a patch, and execute a grant.

A preview is hard-wired to a server-side dry-run through our own Kubernetes client. An execution claims its
grant first (one conditional UPDATE in the ledger); without the claim there is no write, whatever the graph
says. Then, for each attempt: read the object, compare a fresh preview with the approved one, store the intent
with the resourceVersion just read, and send the patch made for exactly that version. The only proof that
the patch landed is the approval's id in the object's annotation.

An attempt whose answer was lost, or that a crash cut off, may be repeated only while the object's generation
shows that no specification has been changed since: then the first one hasn't landed, and the API server lets
at most one of the two in, since each carries the version it was made for. After an answer of success nothing
is sent again, whatever somebody does to the object.

The first object read back is held against the dry-run right before the write: admission may do to a write
what it didn't do to a dry-run. What differs stands in the outcome, which isn't called `verified` then.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tools.errors import (
    ClusterError,
    ClusterUnreachable,
    ObjectNotFound,
    RequestRejected,
    ToolServerError,
    ToolServerLost,
    WriteConflict,
)
from tools.grants import (
    ClaimRefused,
    Drifted,
    ExecutingServer,
    Grant,
    Grants,
    Outcome,
    Preview,
    ToolServerNotCalled,
    WritesStopped,
)
from tools.kubernetes.client import Cluster, Object
from tools.kubernetes.diff import diff_objects, same_changes
from tools.kubernetes.patch import APPROVAL_ANNOTATION, PatchArguments
from tools.kubernetes.readback import find_deviation, find_unlikeness, fingerprint
from tools.kubernetes.server_warnings import find_ignored
from tools.kubernetes.transport import Answer
from tools.mcp.session import ToolSession
from tools.off_loop import run_off_loop

PATCH_TOOL = "kubectl_patch"
_CONFLICT, _INVALID = 409, 422
# Answers that prove that nothing was written; a 408 or a 5xx doesn't.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 410, 413, 415, 422})


@dataclass(frozen=True)
class Executor:
    """Previews and executes patches.

    `refuse_object` says why an object may not be changed as it stands, or None. `attempts` bounds how often
    one grant is tried.
    """

    cluster: Cluster
    session: ToolSession
    grants: Grants
    refuse_object: Callable[[Object], str | None]
    attempts: int = 5
    pause_seconds: float = 0.5

    async def preview(self, call: PatchArguments, approval_id: str) -> Preview:
        """Dry-run the call, stamped with the approval's id, on the server.

        Raises the `ClusterError` of the server where it wouldn't take the patch.
        """
        for attempt in range(self.attempts):
            await asyncio.sleep(self.pause_seconds * min(attempt, 4))
            live = await self._read(call)
            stamped = call.stamped(approval_id, live["metadata"].get("annotations"))
            try:
                answer = await self._dry_run(stamped, live)
            except WriteConflict:
                continue
            return Preview(
                arguments=stamped,
                server=await self._server(),
                kind=live["kind"],
                uid=live["metadata"]["uid"],
                diff=await run_off_loop(diff_objects, live, answer.document),
                before=live,
                after=answer.document,
                warnings=answer.warnings,
            )
        raise ClusterUnreachable(f"{call.resource_type} {call.name} kept changing while it was previewed")

    async def execute(self, approval_id: str, digest: str, epoch: int) -> Outcome:
        """Claim the approval and apply its patch at most once; return how it ended."""
        try:
            grant = await self.grants.claim(approval_id, digest, epoch)
        except WritesStopped as stop:
            return Outcome(kind="held", detail=str(stop))
        except ClaimRefused as refusal:
            return Outcome(kind="refused", detail=str(refusal))
        if isinstance(grant, Outcome):
            return grant
        outcome = await self._settle(grant, epoch)
        await self.grants.record_outcome(approval_id, epoch, outcome)
        return outcome

    async def _settle(self, grant: Grant, epoch: int) -> Outcome:
        sent, answered, trouble = grant.sent_generation, False, ""
        expected: Object | None = None
        for attempt in range(self.attempts + 1):
            await asyncio.sleep(self.pause_seconds * min(attempt, 4))
            try:
                live = await self._read(grant.arguments)
                if sent is not None and _carries(live, grant):
                    return await run_off_loop(_applied, grant, expected, live, sent)
                if answered or (sent is not None and _generation(live) != sent):
                    return Outcome(kind="unknown", detail="the object was changed after the patch was sent")
                if attempt == self.attempts:
                    break
                expected = await self._compare(live, grant)
                version = live["metadata"]["resourceVersion"]
                await self.grants.record_intent(
                    grant.approval_id, epoch, resource_version=version, generation=_generation(live),
                    expected=await run_off_loop(fingerprint, expected),
                )  # fmt: skip
            except (ClusterUnreachable, ToolServerError, WriteConflict) as error:
                trouble = f"no answer: {error}"
                continue
            except (Drifted, ObjectNotFound) as error:
                return Outcome(kind="superseded" if sent is None else "unknown", detail=str(error))
            except (ClusterError, ClaimRefused) as error:
                return Outcome(kind="failed" if sent is None else "unknown", detail=str(error))
            try:
                answered, trouble = await self._send(grant, version), ""
                sent = _generation(live)
            except (WriteConflict, ToolServerNotCalled) as error:
                trouble = str(error)
            except ClusterError as error:
                return Outcome(kind="failed" if sent is None else "unknown", detail=f"refused: {error}")
        tried = f"{self.attempts} attempts; {trouble or 'the answer and the object disagree'}"
        return Outcome(kind="failed" if sent is None else "unknown", detail=tried)

    async def _send(self, grant: Grant, version: str) -> bool:
        """Send the patch once. Return whether it was taken (False: unknown); raise where it was refused."""
        arguments = grant.arguments.guarded(grant.uid, version).as_json()
        try:
            result = await self.session.call(PATCH_TOOL, arguments)
        except ToolServerLost:
            return False
        except ToolServerError as error:
            raise ToolServerNotCalled(str(error)) from error
        if result.error_code == _CONFLICT:
            raise WriteConflict(result.text, code=_CONFLICT, reason="Conflict")
        if result.error_code in _REFUSALS:
            raise ClusterError(result.text, code=result.error_code)
        return not result.is_error

    async def _read(self, call: PatchArguments) -> Object:
        return await self.cluster.get(call.resource_type, call.name, call.namespace)

    async def _dry_run(self, call: PatchArguments, live: Object) -> Answer:
        """Return what the patch would make of exactly `live`; raise `WriteConflict` if it has moved on.

        Raises `RequestRejected` where the server warns that it ignores a part of the patch: what is approved
        must be what happens.
        """
        made_for = call.guarded(live["metadata"]["uid"], live["metadata"]["resourceVersion"])
        answer = await self.cluster.patch(
            call.resource_type,
            call.name,
            call.namespace,
            call.patch_type,
            made_for.patch_data,
            dry_run=True,
        )
        if ignored := find_ignored(answer.warnings):
            why = f"it would ignore a part of it ({ignored}): correct the name of the field"
            raise RequestRejected(why, code=_INVALID, reason="Invalid")
        return answer

    async def _compare(self, live: Object, grant: Grant) -> Object:
        """Return what the patch makes of the object; raise `Drifted` unless that is what was approved."""
        if live["metadata"]["uid"] != grant.uid:
            raise Drifted("the object was deleted and created again since the approval")
        if await self._server() != grant.server:
            raise Drifted("the tool server is no longer the one that was approved")
        if refusal := self.refuse_object(live):
            raise Drifted(refusal)
        after = (await self._dry_run(grant.arguments, live)).document
        if not same_changes(await run_off_loop(diff_objects, live, after), grant.diff):
            raise Drifted("the patch would no longer change what was approved: the object has changed since")
        return after

    async def _server(self) -> ExecutingServer:
        identity = await self.session.identity()
        schema = identity.schema_hashes.get(PATCH_TOOL)
        if schema is None:
            raise ToolServerError(f"MCP server {identity.name!r} offers no {PATCH_TOOL}: use another one")
        return ExecutingServer(name=identity.name, version=identity.version, schema_sha256=schema)


def _applied(grant: Grant, expected: Object | None, live: Object, sent: int) -> Outcome:
    """Return that the patch landed, and what else than approved the object is now (`readback.DEVIATES`).

    `expected` None: another run sent it, and left a fingerprint.
    """
    if expected is None:
        deviation = find_unlikeness(grant.expected, live)
    else:
        moved_on = _generation(live) > sent + 1
        deviation = find_deviation(expected, live, grant.diff, moved_on=moved_on)
    return Outcome(kind="applied", detail=deviation or "the object carries this approval's annotation")


def _generation(live: Object) -> int:
    generation: int = live["metadata"].get("generation", 0)
    return generation


def _carries(live: Object, grant: Grant) -> bool:
    annotations = live["metadata"].get("annotations") or {}
    same_object: bool = live["metadata"]["uid"] == grant.uid
    return same_object and annotations.get(APPROVAL_ANNOTATION) == grant.approval_id
