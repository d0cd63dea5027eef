"""What the graph needs from the rooms around it, said by the graph itself.

`checkpoints` fulfils `Ledger`, `tools` fulfils `Reader`, `Observer` and `Actuator`, a mind (runbooks or a
model) fulfils `Mind`. Every write to the ledger names the run's epoch: a worker that was thought dead and
wakes again has an old one, and its writes are refused with `StaleRun`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from graph.diagnosis import Diagnosis, Evidence, ReadCall, Step
from graph.incident import Ending, EntryKind, IncidentStatus, Verification
from graph.proposal import Approval, Proposal
from graph.targets import Target
from tools.errors import AlertmendError
from tools.executor import Outcome, Preview
from tools.patch import PatchArguments
from tools.tool_session import ServerIdentity, ToolResult


class StaleRun(AlertmendError):
    """Another run has taken this incident over; this one must stop without writing anything."""


class Ledger(Protocol):
    """The truth about incidents: everything here is committed when the call returns."""

    async def record(self, incident_id: str, epoch: int, kind: EntryKind, data: dict[str, Any]) -> None:
        """Append one line to the incident's timeline."""

    async def set_status(self, incident_id: str, epoch: int, status: IncidentStatus) -> None:
        """Move the incident to a status that isn't an end."""

    async def set_target(self, incident_id: str, epoch: int, target: Target) -> None:
        """Set what the incident is about, once the cluster has been asked."""

    async def set_diagnosis(self, incident_id: str, epoch: int, diagnosis: Diagnosis) -> None:
        """Store the latest diagnosis."""

    async def set_verification(self, incident_id: str, epoch: int, verification: Verification) -> None:
        """Store the verification of the latest applied change."""

    async def add_evidence(
        self, incident_id: str, epoch: int, call: ReadCall, result: ToolResult
    ) -> Evidence:
        """Store one whole answer and return it under the incident's next evidence id."""

    async def evidence(self, incident_id: str) -> Sequence[Evidence]:
        """Return all evidence of the incident, oldest first."""

    async def propose(self, proposal: Proposal, epoch: int) -> Approval:
        """Store a proposal as a pending approval; one that still stood for this incident is superseded."""

    async def approval(self, approval_id: str) -> Approval:
        """Return an approval as it stands now."""

    async def finish(self, incident_id: str, epoch: int, ending: Ending) -> str:
        """End the incident: set its status and reason, render and store the report, return its Markdown."""


class Reader(Protocol):
    """Read-only tools, over MCP, with the reader's credential."""

    async def call(self, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """Call one tool."""


class Observer(Protocol):
    """The cluster as the reader's credential sees it, for verification."""

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        """Return one object."""

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the objects that match."""


class Actuator(Protocol):
    """The executor: the only way to a write, and the only holder of the write credential."""

    async def preview(self, call: PatchArguments, approval_id: str) -> Preview:
        """Dry-run the call on the server and return what it would change."""

    async def identity(self) -> ServerIdentity:
        """Return who would execute the call."""

    async def execute(self, approval_id: str, digest: str, epoch: int) -> Outcome:
        """Claim the approval and write, at most once."""


class Mind(Protocol):
    """Decides the next step of an investigation from what is known."""

    async def decide(self, case: "Case") -> Step:
        """Return one step; must not have side effects."""


class Case(Protocol):
    """Placeholder for typing; see `graph.case.Case`."""
