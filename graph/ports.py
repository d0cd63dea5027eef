"""What the graph needs from the rooms around it, said by the graph itself.

`checkpoints` fulfils the ledgers; `tools` fulfils `Reader`, `ClusterReader` and `ActionExecutor`; a mind
(runbooks or a model) fulfils `Diagnostician`. Every write to the ledger names the run's epoch: a worker that
was thought dead and wakes again has an old one, and its writes are refused with `StaleRun`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis, DiagnosisStep, Evidence, Memory, ReadCall
from graph.domain.incident import CaseFile, Ending, EntryKind, IncidentStatus, Verification
from graph.domain.pause_answer import PauseAnswer
from graph.domain.proposal import Approval, ApprovalTerms, Proposal
from graph.domain.report_prose import Prose
from tools.errors import MendgateError
from tools.grants import Outcome, Preview
from tools.kubernetes.patch import PatchArguments
from tools.llm.client import Question, Reply
from tools.mcp.session import ToolResult
from tools.mcp.toolbox import ToolOffer
from tools.registry.client import Lookup


class StaleRun(MendgateError):
    """Another run has taken this incident over; this one must stop without writing anything."""


class AskedElsewhere(MendgateError):
    """Another open incident, `incident_id`, has asked for this change already; nothing was stored."""

    def __init__(self, incident_id: str) -> None:
        super().__init__(f"incident {incident_id} has asked to change the same fields already")
        self.incident_id = incident_id


@dataclass(frozen=True)
class Standing:
    """An approval as it stands; `stopped_by` says what keeps it from being executed now (None: nothing)."""

    approval: Approval
    stopped_by: str | None


@dataclass(frozen=True)
class Case:
    """What a mind may look at: the alert, its target, all evidence so far, and how earlier proposals fared.

    `setbacks` are sentences: why a person rejected a proposal, why the policy refused one, what a fix that
    didn't help had changed. `looks` counts how often the mind has asked to look again since the last change.
    `mended` names the runbook of a fix that is in place, though it didn't make the target healthy.
    """

    group: AlertGroup
    target: Target
    evidence: tuple[Evidence, ...]
    failed_attempts: tuple[str, ...]
    tried: tuple[PatchArguments, ...]
    rechecks: int = 0
    fixed_by: str = ""
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True)
class Grounds:
    """What a value can be traced to: the incident's alerts, and all its evidence.

    `target` is what the incident is about; None: that isn't known.
    """

    group: AlertGroup
    evidence: tuple[Evidence, ...]
    target: Target | None = None


@dataclass(frozen=True)
class Contribution:
    """What a model adds to a report (None: nothing), what its memory is then, and how it went.

    `note` is empty where it wasn't asked; `prompt` is the version of what it was told.
    """

    memory: Memory
    prose: Prose | None = None
    note: str = ""
    prompt: str = ""


class ReportAuthor(Protocol):
    """Adds to the report of an incident."""

    async def contribute(self, case: CaseFile, ending: Ending, memory: Memory) -> Contribution:
        """Return what there is to add. It writes nothing and raises nothing; asking twice is harmless."""


class Diagnostician(Protocol):
    """Decides the next step of an investigation from what is known."""

    async def decide(self, case: Case) -> DiagnosisStep:
        """Return one step and what it took. It writes nothing; asking twice is harmless."""


class ChatModel(Protocol):
    """A language model."""

    async def ask(self, question: Question) -> Reply:
        """Return one answer. Raises `ModelUnavailable`."""


class IncidentLedger(Protocol):
    """The truth about incidents: what is written here is committed when the call returns."""

    async def open(self, group: AlertGroup) -> str:
        """Open an incident for a run that was started by hand, and return its id."""

    async def record(  # noqa: PLR0913 -- all that is committed with a line, by name
        self,
        incident_id: str,
        epoch: int,
        kind: EntryKind,
        data: dict[str, Any],
        *,
        status: IncidentStatus | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        """Append one line to the incident's timeline, and set what comes with it (None: as before)."""

    async def set_status(self, incident_id: str, epoch: int, status: IncidentStatus) -> None:
        """Move the incident to a status that isn't an end."""

    async def set_target(
        self, incident_id: str, epoch: int, target: Target, behind: Target | None = None
    ) -> str | None:
        """Set what the incident is about, once the cluster has been asked.

        `behind` is the one workload behind the target, if there is one: it is well again, perhaps, because
        another incident has changed it. Return the incident which has this one's alerts now; None: it keeps
        them.
        """

    async def join(self, incident_id: str, epoch: int, other_id: str) -> bool:
        """Leave the incident's alerts to another open one that asks for the same; say whether that was done.

        It isn't where something was approved or written under this incident, where the other has just ended,
        or where their alerts come from two clusters.
        """

    async def have_resolved(self, incident_id: str) -> bool:
        """Whether the incident has alerts, and each of them has resolved."""

    async def set_verification(self, incident_id: str, epoch: int, verification: Verification) -> None:
        """Store the verification of the latest applied change, its verdict included."""

    async def add_evidence(
        self, incident_id: str, epoch: int, call: ReadCall, result: ToolResult
    ) -> Evidence:
        """Store one whole answer under the incident's next evidence id, with its line on the timeline."""

    async def evidence(self, incident_id: str) -> Sequence[Evidence]:
        """Return all evidence of the incident, oldest first."""

    async def grounds(self, incident_id: str) -> Grounds:
        """Return what a proposal is held against."""

    async def case_file(self, incident_id: str) -> CaseFile:
        """Return everything the ledger knows about the incident."""

    async def finish(self, incident_id: str, epoch: int, ending: Ending, report: str) -> None:
        """End the incident and store its report."""


class ApprovalLedger(Protocol):
    """The authority on what may be written to the cluster."""

    async def propose(self, proposal: Proposal, epoch: int, terms: ApprovalTerms) -> Approval:
        """Store a proposal as a pending approval; one that still stood for the incident is superseded.

        The incident waits for a person then. If the same change stands already, as after a crash, that one is
        returned. Raises `AskedElsewhere`.
        """

    async def find(self, approval_id: str) -> Approval:
        """Return an approval as it stands."""

    async def standing(self, approval_id: str) -> Standing:
        """Return an approval as it stands, and what stops it from being executed at this moment.

        Where a person has edited it, that is the approval of the edited proposal.
        """

    async def withdraw(self, approval_id: str, epoch: int, reason: str) -> None:
        """Withdraw an approved approval that no claim has taken: its target doesn't need it any more."""


class PauseAnswerHandler(Protocol):
    """Takes answers to a pause as decisions: LangGraph Studio's dev mode, never the service."""

    async def take(self, approval: Approval, answer: PauseAnswer) -> str:
        """Record what a person answered; return why it was not taken, or an empty text."""


class Reader(Protocol):
    """Tools over MCP, with the reader's credential; the policy says which of them may be called."""

    async def offers(self) -> Sequence[ToolOffer]:
        """Return all tools. Raises `ToolServerError` where our own server can't be reached."""

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """Call one tool. Raises `ToolServerError` where our own server can't be reached."""


class ClusterReader(Protocol):
    """The cluster as the reader's credential sees it, for verification."""

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        """Return one object. Raises `ClusterError`."""

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the objects that match. Raises `ClusterError`."""


class ImageRegistry(Protocol):
    """Container registries, asked without a credential, and only those that are listed."""

    async def look_up(self, host: str, repository: str, reference: str) -> Lookup:
        """Return whether a tag or digest exists; what couldn't be found out is `unknown`. Raises nothing."""


class ActionExecutor(Protocol):
    """The executor: the only way to a write, and the only holder of the write credential."""

    async def preview(self, call: PatchArguments, approval_id: str) -> Preview:
        """Dry-run the call on the server and return what it would change. Raises `ClusterError`."""

    async def execute(self, approval_id: str, digest: str, epoch: int) -> Outcome:
        """Claim the approval and write, at most once."""
