"""What came of the visitor's last form, as long as it is news.

The page's address carries what was said, and anybody can make a link that claims it: only what the ledger
holds is shown.
"""

from collections.abc import Sequence

from graph.domain.incident import ACTIVE, Incident
from graph.domain.proposal import Approval

_APPROVED = "Your approval is recorded. "
_OTHERS = {
    "reject": "Your rejection is recorded. The diagnosis hears your reason.",
    "edit": "Your edit is a proposal of its own now, previewed afresh. It waits for its approval below.",
    "revoke": "The approval is taken back. Nothing will be written because of it.",
    "settle": "You have settled how the execution ended.",
}
_VERDICTS = {"settle": "resolve"}


def find_said(said: str, name: str, approvals: Sequence[Approval], incident: Incident) -> str:
    """Return what came of what this person has just done, in a sentence; empty if it isn't so, or is over."""
    if said == "retry":
        return "The incident goes on." if incident.status in ACTIVE else ""
    about = _find_decided(_VERDICTS.get(said, said), name, approvals)
    if about is None:
        return ""
    if said == "approve":
        return _say_approved(about) if incident.status in ACTIVE else ""
    ahead = said in {"reject", "edit"}  # these speak of what comes next
    return "" if ahead and incident.status not in ACTIVE else _OTHERS.get(said, "")


def _find_decided(verdict: str, name: str, approvals: Sequence[Approval]) -> Approval | None:
    """Return the newest approval about which this person decided so."""
    for approval in reversed(approvals):
        if any((one.by, one.verdict) == (name, verdict) for one in approval.decisions):
            return approval
    return None


def _say_approved(approval: Approval) -> str:
    match approval.status:
        case "pending":
            return f"{_APPROVED}{approval.tally}"
        case "approved" | "executing":
            return f"{_APPROVED}The change is carried out by itself."
        case "applied":
            return f"{_APPROVED}The change is made, and is being verified."
    return ""
