"""What the executor is granted, what it previews, and how an execution ends."""

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from tools.errors import (
    MendgateError,
)
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH, PatchArguments


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
    warnings: tuple[str, ...] = ()
    """What the API server warned about, from deprecated fields to an admission webhook's advice."""

    @property
    def is_void(self) -> bool:
        """Whether nothing but our own annotation would change."""
        return all(change.path == APPROVAL_PATH for change in self.diff)


class Grant(_Frozen):
    """A claimed approval.

    `sent_generation` is the object's generation when an attempt was last about to be sent, None if none was;
    `expected` the fingerprint of what it should become (None: nobody stored one).
    """

    approval_id: str
    arguments: PatchArguments
    uid: str
    diff: tuple[FieldChange, ...]
    server: ExecutingServer
    sent_generation: int | None
    expected: str | None = None


class Outcome(_Frozen):
    """How an execution ended. `refused` and `held`: there was no claim, so nothing was tried.

    `held` says that a stop is all that was in the way: the approval stands, and may be claimed after it.
    `failed` and `superseded` are said only when it is proved that nothing was written; `unknown` means that
    a person has to look.
    """

    kind: Literal["applied", "failed", "superseded", "unknown", "refused", "held"]
    detail: str


class Drifted(MendgateError):
    """What would run isn't what was approved any more; nothing was written for this reason."""


class ToolServerNotCalled(MendgateError):
    """The MCP server couldn't be called, so that nothing was sent."""


class ClaimRefused(MendgateError):
    """The ledger didn't hand out the grant; the message says why. Nothing was sent to the cluster."""


class WritesStopped(ClaimRefused):
    """Writes are stopped, or their budget is spent: that ends, and the approval may be claimed then."""


class Grants(Protocol):
    """The ledger as the executor sees it."""

    async def claim(self, approval_id: str, digest: str, epoch: int) -> Grant | Outcome:
        """Claim the approval for one run, or take it over after a crash. Raise `ClaimRefused` if it may not.

        An execution that has already ended returns its outcome.
        """

    async def record_intent(
        self, approval_id: str, epoch: int, *, resource_version: str, generation: int, expected: str
    ) -> None:
        """Write ahead that a patch made for this version is about to be sent, or raise `ClaimRefused`.

        `expected` is the fingerprint of what the object should become.
        """

    async def record_outcome(self, approval_id: str, epoch: int, outcome: Outcome) -> None:
        """Write down how the execution ended."""
