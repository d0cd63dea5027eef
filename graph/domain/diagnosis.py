"""What an investigation knows and what it may decide next."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from graph.domain.alerts.targets import Target
from tools.kubernetes.patch import PatchArguments
from tools.mcp.toolbox import OWN_SERVER

_EXCERPT_CHARACTERS = 600
Confidence = Literal["high", "medium", "low"]
Grounding = Literal["last_good_revision", "sibling", "same_object", "evidence", "person", "estimate", "guess"]
Source = Literal["runbook", "model"]
Origin = Literal["revision", "object", "event", "log", "text", "alert", "before", "server", "none"]
"""Where a value was found. `revision` and `object`: in a field that somebody with rights to the cluster wrote
and that our own reader has read. A status, an annotation, a line within a field, and what another server says
is `text`. `before`: the object had it before a change that is taken back; `server`: the API server sets it by
itself, nobody chose it; `none`: nowhere, so it is a guess."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReadCall(_Frozen):
    """One call of a read-only tool on one MCP server, and why it is made."""

    tool: str
    arguments: dict[str, Any]
    reason: str = ""
    server: str = OWN_SERVER


class Evidence(_Frozen):
    """What a read-only call answered. `id` counts per incident (`E1`, …); `text` is the whole answer.

    `deleted_at` says when the text was deleted, because it had been kept long enough; it is empty since.
    """

    id: str
    tool: str
    arguments: dict[str, Any]
    text: str
    is_error: bool
    at: datetime
    server: str = OWN_SERVER
    deleted_at: datetime | None = None

    @property
    def source(self) -> str:
        """Who answered: the tool, with its server where that isn't our own."""
        return self.tool if self.server == OWN_SERVER else f"{self.server}/{self.tool}"

    @property
    def line(self) -> dict[str, Any]:
        """What the timeline says about it."""
        return {
            "evidence": self.id,
            "tool": self.tool,
            "is_error": self.is_error,
            "characters": len(self.text),
            "excerpt": self.text[:_EXCERPT_CHARACTERS],
        }


class ToolAnswer(_Frozen):
    """The beginning of what a read-only call answered, for who watches a run; `evidence` has the whole."""

    evidence: str
    tool: str
    arguments: dict[str, Any]
    is_error: bool
    characters: int
    excerpt: str

    @classmethod
    def of(cls, piece: Evidence) -> "ToolAnswer":
        """Return the beginning of a piece of evidence."""
        return cls(arguments=piece.arguments, **piece.line | {"tool": piece.source})


class Trace(_Frozen):
    """Where one new value of a patch comes from. `value` None: the field is removed.

    `evidence` is the id of the piece that holds it (`alert`: the alert itself), `place` what it was found in.
    """

    path: str
    value: Any
    origin: Origin
    evidence: str = ""
    place: str = ""

    @property
    def is_guess(self) -> bool:
        """Whether nothing that is known holds the value."""
        return self.origin == "none"

    def __str__(self) -> str:
        what = "removed" if self.value is None else json.dumps(self.value, ensure_ascii=False)
        source = f" [{self.evidence}]" if self.evidence else ""
        return f"{self.path}: {what} ← {self.place}{source}"


class Diagnosis(_Frozen):
    """Why the alert fires. `root_causes` are the objects to change or to look at; `evidence` are ids.

    `summary` is what is wrong, in a line; a runbook's leaves the repair out. `runbook` names the one that
    found it; empty for a model's.
    """

    summary: str
    cause: str
    root_causes: tuple[Target, ...] = ()
    evidence: tuple[str, ...] = ()
    source: Source
    confidence: Confidence
    prevention: tuple[str, ...] = ()
    runbook: str = ""


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
    """A person must act; `advice` says what exactly.

    `keep` says that a fix in place did mend what it was for: another fault has come to light behind it.
    """

    step: Literal["hand_over"] = "hand_over"
    reason: str
    diagnosis: Diagnosis | None = None
    advice: tuple[str, ...] = ()
    keep: bool = False


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


class Memory(_Frozen):
    """What a mind must remember between its decisions in one incident; it is checkpointed.

    `tokens` count questions and answers, `seconds` are those spent waiting for answers. `given_up` says why
    the model is asked no more (empty: it still is).
    """

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    given_up: str = ""


class DiagnosisStep(_Frozen):
    """One decision, and what it took: `complaints` say what was wrong with the answers before it.

    `prompt` is the version of what the model was told, empty where none was asked.
    """

    step: Step
    memory: Memory = Memory()
    source: Source = "runbook"
    prompt: str = ""
    complaints: tuple[str, ...] = ()
