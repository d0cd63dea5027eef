"""What may be chosen on the command line, said again here because the models that own it load slowly.

A test holds each of them to its owner.
"""

from typing import Literal

FindingName = Literal["applied", "not_applied"]
GroundingName = Literal[
    "last_good_revision", "sibling", "same_object", "evidence", "person", "estimate", "guess"
]
RiskName = Literal["low", "medium", "high"]
ScenarioName = Literal["image-pull", "oom-killed", "probe-port"]
IncidentStatusName = Literal[
    "open", "investigating", "awaiting_approval", "applying", "verifying",
    "resolved", "unresolved", "no_action", "handed_over", "rejected", "expired", "withdrawn", "failed",
]  # fmt: skip
AuditActionName = Literal[
    "begun", "proposed", "approved", "rejected", "edited", "revoked", "expired", "superseded", "withdrawn",
    "claimed", "intent", "outcome", "resolved", "verdict", "retry",
    "kill_switch", "freeze_added", "freeze_changed", "freeze_ended", "accepted",
]  # fmt: skip
ApprovalStatusName = Literal[
    "pending", "approved", "rejected", "expired", "superseded", "withdrawn", "revoked",
    "executing", "applied", "failed", "unknown",
]  # fmt: skip
