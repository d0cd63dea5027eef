"""What a run carries from node to node. Checkpoints record these class names: keep them stable.

The ledger holds the truth; the state says where the run stands. Whole tool answers are in the evidence table.
"""

from dataclasses import dataclass

from pydantic import BaseModel

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Candidate, Diagnosis, Memory, ReadCall, ToolAnswer
from graph.domain.incident import Ending, Verdict
from graph.domain.proposal import ApprovalStatus
from tools.grants import Outcome
from tools.kubernetes.patch import PatchArguments


class IncidentState(BaseModel):
    """One incident's run."""

    alert: AlertGroup
    incident_id: str = ""
    target: Target | None = None

    steps: int = 0
    """Analysis steps taken since the last change of the cluster."""
    rechecks: int = 0
    """How often the mind asked to look again since then, because things were still moving."""
    pending_calls: tuple[ReadCall, ...] = ()
    answers: tuple[ToolAnswer, ...] = ()
    """How the last calls were answered, shortened: for LangGraph Studio, which shows the state."""
    evidence_from: int = 0
    """Evidence up to this number was gathered before the cluster changed, and no longer counts."""
    memory: Memory = Memory()
    """What the mind has to remember; its budget counts over the whole incident."""

    diagnosis: Diagnosis | None = None
    candidate: Candidate | None = None
    proposal_id: str = ""
    """The approval's id of the candidate's proposal, allotted before it is drawn up."""
    fault: str = ""
    """What was wrong with the workload when the proposal was made; empty if it looked healthy then, too."""
    undo: Candidate | None = None
    """How to take back the change that was applied but didn't help."""
    undo_first: bool = False
    """Whether it is taken back before anything else is thought of: the cluster refuses what it made."""
    rounds: int = 0
    """Proposals tried so far, refused ones included."""
    tried: tuple[PatchArguments, ...] = ()
    failed_attempts: tuple[str, ...] = ()
    unapplied: tuple[str, ...] = ()
    """What a person should set instead, where the first change that was known isn't mendgate's to make."""

    approval_id: str = ""
    digest: str = ""
    standing: ApprovalStatus | None = None
    """The approval as the gate last read it; None while it must wait."""
    refusal: str = ""
    """Why the last answer in LangGraph Studio was not taken."""
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    ending: Ending | None = None
    report: str = ""
    """For LangGraph Studio, which shows the state; the ledger has it too."""


CHECKPOINTED: tuple[type[BaseModel], ...] = (
    AlertGroup, Target, ReadCall, ToolAnswer, Memory, Diagnosis, Candidate, PatchArguments, Outcome, Ending,
)  # fmt: skip
"""The only types of ours that a saver may bring to life again; a test holds them to the state's fields."""


@dataclass(frozen=True)
class RunContext:
    """Which take-over of the incident this run is: every write to the ledger names it.

    The service's runs count from 1. Epoch 0 is that of a run started by hand: nobody takes its incident over.
    """

    epoch: int = 0
