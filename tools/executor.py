"""The executor alone holds the write credential. It can do two things: preview a patch, and execute a grant.

A preview is hard-wired to a server-side dry-run through our own Kubernetes client. An execution claims its
grant first (one conditional UPDATE in the ledger); without the claim there is no write, whatever the graph
says. Then, for each attempt: read the object, compare a fresh preview with the approved one, store the intent
with the resourceVersion just read, and send the patch made for exactly that version. The only proof that
the patch landed is the approval's id in the object's annotation.

That makes another attempt after a crash or a lost answer safe: the API server lets at most one of the
requests in, since each carries the version it was made for.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from tools.diffing import FieldChange, diff_objects
from tools.errors import (
    AlertmendError,
    ClusterError,
    ClusterUnreachable,
    ObjectNotFound,
    ToolServerError,
    ToolServerLost,
    WriteConflict,
)
from tools.kubernetes import Cluster, Object
from tools.patch import APPROVAL_ANNOTATION, PatchArguments
from tools.tool_session import ToolSession

PATCH_TOOL = "kubectl_patch"
_CONFLICT = 409
_TOO_MANY_REQUESTS = 429
_CLIENT_ERRORS = range(400, 500)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExecutingServer(_Frozen):
    """The MCP server that will execute the patch, and the SHA-256 of the input schema it offers for it."""

    name: str
    version: str
    schema_sha256: str


class Preview(_Frozen):
    """What the API server says the patch would change. `arguments` carry the approval's annotation."""

    arguments: PatchArguments
    server: ExecutingServer
    kind: str
    uid: str
    diff: tuple[FieldChange, ...]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def is_void(self) -> bool:
        """Whether nothing but our own annotation would change."""
        return all(APPROVAL_ANNOTATION in change.path for change in self.diff)


class Grant(_Frozen):
    """A claimed approval. `intent` is the resourceVersion of an attempt that may have been sent, or None."""

    approval_id: str
    arguments: PatchArguments
    uid: str
    diff: tuple[FieldChange, ...]
    server: ExecutingServer
    intent: str | None


class Outcome(_Frozen):
    """How an execution ended. `refused`: there was no claim, so nothing was tried and the approval stands.

    `failed` and `superseded` are said only when it is proved that nothing was written; `unknown` means that
    a person has to look.
    """

    kind: Literal["applied", "failed", "superseded", "unknown", "refused"]
    detail: str


class Drifted(AlertmendError):
    """What would run isn't what was approved any more; nothing was written for this reason."""


class ClaimRefused(AlertmendError):
    """The ledger didn't hand out the grant; the message says why. Nothing was sent to the cluster."""


class Grants(Protocol):
    """The ledger as the executor sees it."""

    async def claim(self, approval_id: str, digest: str, epoch: int) -> Grant | Outcome:
        """Claim the approval for one run, or take it over after a crash. Raise `ClaimRefused` if it may not.

        An execution that has already ended returns its outcome.
        """

    async def record_intent(self, approval_id: str, epoch: int, resource_version: str) -> None:
        """Write ahead that a patch made for this version is about to be sent, or raise `ClaimRefused`."""

    async def record_outcome(self, approval_id: str, epoch: int, outcome: Outcome) -> None:
        """Write down how the execution ended."""


@dataclass(frozen=True)
class Executor:
    """Previews and executes patches. `attempts` bounds how often one grant is tried."""

    cluster: Cluster
    session: ToolSession
    grants: Grants
    attempts: int = 5
    pause_seconds: float = 0.5

    async def preview(self, call: PatchArguments, approval_id: str) -> Preview:
        """Dry-run the call, stamped with the approval's id, on the server.

        Raises the `ClusterError` of the server where it wouldn't take the patch.
        """
        live = await self._read(call)
        stamped = call.stamped(approval_id, live["metadata"].get("annotations"))
        after = await self._dry_run(stamped)
        return Preview(
            arguments=stamped,
            server=await self._server(),
            kind=live["kind"],
            uid=live["metadata"]["uid"],
            diff=diff_objects(live, after),
            before=live,
            after=after,
        )

    async def execute(self, approval_id: str, digest: str, epoch: int) -> Outcome:
        """Claim the approval and apply its patch at most once; return how it ended."""
        try:
            grant = await self.grants.claim(approval_id, digest, epoch)
        except ClaimRefused as refusal:
            return Outcome(kind="refused", detail=str(refusal))
        if isinstance(grant, Outcome):
            return grant
        outcome = await self._settle(grant, epoch)
        await self.grants.record_outcome(approval_id, epoch, outcome)
        return outcome

    async def _settle(self, grant: Grant, epoch: int) -> Outcome:
        in_flight, trouble = grant.intent is not None, ""
        for attempt in range(self.attempts + 1):
            await asyncio.sleep(self.pause_seconds * min(attempt, 4))
            try:
                live = await self._read(grant.arguments)
                if in_flight and _carries(live, grant):
                    return Outcome(kind="applied", detail="the object carries this approval's annotation")
                if attempt == self.attempts:
                    break
                await self._compare(live, grant)
                version = live["metadata"]["resourceVersion"]
                await self.grants.record_intent(grant.approval_id, epoch, version)
            except (ClusterUnreachable, ToolServerError) as error:
                trouble = f"no answer: {error}"
                continue
            except (Drifted, ObjectNotFound) as error:
                return Outcome(kind="unknown" if in_flight else "superseded", detail=str(error))
            except (ClusterError, ClaimRefused) as error:
                return Outcome(kind="unknown" if in_flight else "failed", detail=str(error))
            try:
                in_flight, trouble = await self._send(grant, version) or in_flight, ""
            except WriteConflict as error:
                trouble = str(error)
            except ClusterError as error:
                return Outcome(kind="unknown" if in_flight else "failed", detail=f"refused: {error}")
        tried = f"{self.attempts} attempts; {trouble or 'the answer and the object disagree'}"
        return Outcome(kind="unknown" if in_flight else "failed", detail=tried)

    async def _send(self, grant: Grant, version: str) -> bool:
        """Send the patch once. Return True where it landed or may have; raise where it was refused."""
        try:
            result = await self.session.call(PATCH_TOOL, grant.arguments.guarded(version).as_json())
        except ToolServerLost:
            return True
        except ToolServerError:
            return False
        code = result.error_code if result.is_error else None
        if code == _CONFLICT:
            raise WriteConflict(result.text, code=code, reason="Conflict")
        if code in _CLIENT_ERRORS and code != _TOO_MANY_REQUESTS:
            raise ClusterError(result.text, code=code)
        return True

    async def _read(self, call: PatchArguments) -> Object:
        return await self.cluster.get(call.resource_type, call.name, call.namespace)

    async def _dry_run(self, call: PatchArguments) -> Object:
        return await self.cluster.patch(
            call.resource_type, call.name, call.namespace, call.patch_type, call.patch_data, dry_run=True
        )

    async def _compare(self, live: Object, grant: Grant) -> None:
        """Raise `Drifted` unless the patch would do now exactly what was approved, to the same object."""
        if live["metadata"]["uid"] != grant.uid:
            raise Drifted("the object was deleted and made anew since the approval")
        if await self._server() != grant.server:
            raise Drifted("the tool server is no longer the one that was approved")
        if diff_objects(live, await self._dry_run(grant.arguments)) != grant.diff:
            raise Drifted("the patch would no longer change what was approved: the object has changed since")

    async def _server(self) -> ExecutingServer:
        identity = await self.session.identity()
        schema = identity.schema_hashes.get(PATCH_TOOL)
        if schema is None:
            raise ToolServerError(f"MCP server {identity.name!r} offers no {PATCH_TOOL}: use another one")
        return ExecutingServer(name=identity.name, version=identity.version, schema_sha256=schema)


def _carries(live: Object, grant: Grant) -> bool:
    annotations = live["metadata"].get("annotations") or {}
    same_object: bool = live["metadata"]["uid"] == grant.uid
    return same_object and annotations.get(APPROVAL_ANNOTATION) == grant.approval_id
