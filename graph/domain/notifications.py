"""Notices: which lines of a timeline people and machines elsewhere hear of, and what they are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.targets import Target
from graph.domain.incident import EntryKind
from graph.domain.proposal import ApprovalStatus, Risk
from tools.kubernetes.diff import FieldChange

Event = Literal[
    "proposed", "reminded",
    "approved", "rejected", "edited", "revoked", "expired", "withdrawn",
    "verified", "not_verified", "undetermined", "outcome_unknown",
    "handed_over", "unresolved", "failed",
]  # fmt: skip
EVENTS: tuple[Event, ...] = get_args(Event)
_DECIDED: dict[str, Event] = {
    "approve": "approved", "reject": "rejected", "edit": "edited", "revoke": "revoked",
    "expired": "expired", "withdrawn": "withdrawn",
}  # fmt: skip
_ENDS = frozenset({"handed_over", "unresolved", "failed"})
_RISKS: tuple[Risk, ...] = get_args(Risk)


def find_event(kind: EntryKind, data: Mapping[str, Any]) -> Event | None:
    """Return what a line of a timeline is called where others are told of it; None: they aren't."""
    found: str | None = None
    match kind:
        case "proposed" | "reminded":
            found = kind
        case "decided":
            found = _DECIDED.get(data["verdict"])
        case "applied":
            found = "outcome_unknown" if data["outcome"] == "unknown" else None
        case "verdict":
            found = data["verdict"]
        case "ended":
            found = data["status"] if data["status"] in _ENDS else None
        case "error":
            found = None if data.get("goes_on") else "failed"
    return cast("Event | None", found)


@dataclass(frozen=True)
class Subscriber:
    """A channel, as far as the ledger must know it: what it wants to hear of, and how much at a time.

    Of `per_minute` messages the last one tells of all that waits where the channel `folds`; else they wait.
    """

    name: str
    events: frozenset[Event] = frozenset(EVENTS)
    least_risk: Risk = "low"
    per_minute: int = 10
    folds: bool = True

    def wants(self, event: Event, risk: Risk | None) -> bool:
        """Whether it is told of an event; one about no proposal has no risk, and passes."""
        return event in self.events and (risk is None or _RISKS.index(risk) >= _RISKS.index(self.least_risk))


class Notice(BaseModel):
    """An event with what the ledger says about it when it is sent."""

    model_config = ConfigDict(frozen=True)

    event: Event
    at: datetime
    incident_id: str
    alertname: str
    severity: str
    target: Target | None
    by: str = ""
    """Who decided; empty where nobody did."""
    reason: str = ""
    approval_id: str | None = None
    approval_status: ApprovalStatus | None = None
    summary: str = ""
    """The proposal's headline."""
    diff: tuple[FieldChange, ...] = ()
    """Every field that the proposal would change; none where the notice is about no proposal."""
    risk: Risk | None = None
    risk_reasons: tuple[str, ...] = ()
    decide_by: datetime | None = None
