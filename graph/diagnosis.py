"""What an investigation knows and what it may decide next."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from graph.targets import Target
from tools.patch import PatchArguments

Confidence = Literal["high", "medium", "low"]
Grounding = Literal["last_good_revision", "sibling", "same_object", "estimate", "guess"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReadCall(_Frozen):
    """One call of a read-only tool, and why it is made."""

    tool: str
    arguments: dict[str, Any]
    reason: str = ""


class Evidence(_Frozen):
    """What a read-only call answered. `id` counts per incident (`E1`, …); `text` is the whole answer."""

    id: str
    tool: str
    arguments: dict[str, Any]
    text: str
    is_error: bool
    at: datetime


class Diagnosis(_Frozen):
    """Why the alert fires. `root_causes` are the objects to change or to look at; `evidence` are ids."""

    summary: str
    cause: str
    root_causes: tuple[Target, ...] = ()
    evidence: tuple[str, ...] = ()
    source: Literal["runbook", "model"]
    confidence: Confidence
    prevention: tuple[str, ...] = ()


class Candidate(_Frozen):
    """One exact change, not yet previewed. `grounding` says where its value comes from, `basis` in words."""

    call: PatchArguments
    purpose: Literal["fix", "undo"] = "fix"
    grounding: Grounding
    basis: str
    risk: Literal["low", "medium", "high"] = "low"


class CallTools(_Frozen):
    """Look further before deciding."""

    step: Literal["call_tools"] = "call_tools"
    reason: str
    calls: Annotated[tuple[ReadCall, ...], Field(min_length=1, max_length=8)]


class ProposePatch(_Frozen):
    """Propose one change."""

    step: Literal["propose_patch"] = "propose_patch"
    reason: str
    diagnosis: Diagnosis
    candidate: Candidate


class HandOver(_Frozen):
    """A person must act; `advice` says what exactly."""

    step: Literal["hand_over"] = "hand_over"
    reason: str
    diagnosis: Diagnosis | None = None
    advice: tuple[str, ...] = ()


class NothingWrong(_Frozen):
    """The target is healthy: no proposal."""

    step: Literal["nothing_wrong"] = "nothing_wrong"
    reason: str


class LookAgain(_Frozen):
    """Things are still moving: wait `after_seconds`, then gather the evidence afresh."""

    step: Literal["look_again"] = "look_again"
    reason: str
    after_seconds: Annotated[float, Field(gt=0, le=30)]


Step = Annotated[CallTools | LookAgain | ProposePatch | HandOver | NothingWrong, Field(discriminator="step")]
