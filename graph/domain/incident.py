"""An incident's vocabulary: where it stands, how it may end, and what its timeline records."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis, Evidence
from graph.domain.proposal import Approval

IncidentStatus = Literal[
    "open", "investigating", "awaiting_approval", "applying", "verifying",
    "resolved", "unresolved", "no_action", "handed_over", "rejected", "expired", "withdrawn", "failed",
]  # fmt: skip
EndStatus = Literal[
    "resolved", "unresolved", "no_action", "handed_over", "rejected", "expired", "withdrawn", "failed"
]
ACTIVE: tuple[IncidentStatus, ...] = (
    "open", "investigating", "awaiting_approval", "applying", "verifying",
)  # fmt: skip
Verdict = Literal["verified", "not_verified", "undetermined"]
EntryKind = Literal[
    "alert_received", "alert_attached", "node_entered", "reasoned", "tool_called", "tool_answered",
    "proposed", "reminded", "not_withdrawn", "decided", "applying", "applied", "checked", "verdict",
    "ended", "error", "undelivered", "not_proposed",
]  # fmt: skip


MODEL_SAYS = "the model says: "
"""How the reason of an end begins that a model gave: what it says is no fact."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Ending(_Frozen):
    """How a run ends: the incident's last status, why, and what a person should do now (if anything)."""

    status: EndStatus
    reason: str
    advice: tuple[str, ...] = ()


class Check(_Frozen):
    """One predicate at one look: held (True), failed (False), or couldn't be read (None)."""

    predicate: str
    held: bool | None
    detail: str


class Verification(_Frozen):
    """The verdict on an applied change. `stable_seconds` is how long everything held without a break."""

    verdict: Verdict
    reason: str
    checks: tuple[Check, ...]
    started_at: datetime
    ended_at: datetime
    stable_seconds: float
    looks: int
    refused: str = ""
    """What the API server says of the changed template's pods, which it doesn't let in; empty if it does."""


class Entry(_Frozen):
    """One line of an incident's timeline. `seq` counts per incident from 1."""

    seq: int
    at: datetime
    kind: EntryKind
    data: dict[str, Any]


class Incident(_Frozen):
    """An incident as it stands in the ledger."""

    id: str
    status: IncidentStatus
    alertname: str
    severity: str
    target: Target | None
    diagnosis: Diagnosis | None
    approval_ids: tuple[str, ...]
    verdict: Verdict | None
    verification: Verification | None
    reason: str
    """Why it ended as it did; empty while it is active."""
    advice: tuple[str, ...]
    """What a person should do now; empty if nothing."""
    created_at: datetime
    updated_at: datetime


class CaseFile(_Frozen):
    """Everything the ledger knows about one incident: what a report is written from."""

    incident: Incident
    group: AlertGroup
    evidence: tuple[Evidence, ...]
    approvals: tuple[Approval, ...]
    timeline: tuple[Entry, ...]
