"""The result of the last form that a person sent, as long as it is news.

The page's URL names the form that was sent, and anybody can make such a link: only what the ledger
holds is shown.
"""

from collections.abc import Sequence

from graph.domain.incident import ACTIVE, Incident
from graph.domain.proposal import Approval

_APPROVED = "Your approval is recorded. "
_OTHERS = {
    "reject": "Your rejection is recorded. The diagnosis gets your reason.",
    "edit": "Your edit is now a new proposal, with a new preview. It waits for approval below.",
    "revoke": "The approval is revoked. Nothing will be written because of it.",
    "settle": "Your answer on how the execution ended is recorded.",
}
_VERDICTS = {"settle": "resolve"}


def find_said(said: str, name: str, approvals: Sequence[Approval], incident: Incident) -> str:
    """Return one sentence about what this person has just done; empty if it isn't true, or out of date."""
    if said == "retry":
        return "The incident runs again." if incident.status in ACTIVE else ""
    about = _find_decided(_VERDICTS.get(said, said), name, approvals)
    if about is None:
        return ""
    if said == "approve":
        return _say_approved(about) if incident.status in ACTIVE else ""
    ahead = said in {"reject", "edit"}  # these speak of what comes next
    return "" if ahead and incident.status not in ACTIVE else _OTHERS.get(said, "")


def _find_decided(verdict: str, name: str, approvals: Sequence[Approval]) -> Approval | None:
    """Return the newest approval on which this person made this decision."""
    for approval in reversed(approvals):
        if any((one.by, one.verdict) == (name, verdict) for one in approval.decisions):
            return approval
    return None


def _say_approved(approval: Approval) -> str:
    match approval.status:
        case "pending":
            return f"{_APPROVED}{approval.tally}"
        case "approved" | "executing":
            return f"{_APPROVED}The change will now be applied automatically."
        case "applied":
            return f"{_APPROVED}The change is applied, and is being verified."
    return ""
