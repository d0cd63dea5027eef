"""Completing ids in a shell: what the service lists now, or nothing; never an error, never a long wait.

Only ids are offered, and how they stand: other text would come from a cluster, and end up in a shell.
"""

from api.cli.terminal.choices import ApprovalStatusName
from api.cli.terminal.output import connect
from tools.errors import MendgateError

_SECONDS = 2.0
_MOST = 50
Completions = list[tuple[str, str]]


def complete_incident(incomplete: str) -> Completions:
    """Return the newest incidents whose ids begin so."""
    try:
        with connect(_SECONDS) as client:
            found = client.incidents(status=None, limit=_MOST).items
    except MendgateError:  # a shell has no place to say so
        return []
    return [(one.id, one.status) for one in found if one.id.startswith(incomplete)]


def _complete_approval(status: ApprovalStatusName | None, incomplete: str) -> Completions:
    try:
        with connect(_SECONDS) as client:
            found = client.approvals(status=status, namespace=None, limit=_MOST).items
    except MendgateError:  # a shell has no place to say so
        return []
    return [(one.id, one.status) for one in found if one.id.startswith(incomplete)]


def complete_approval(incomplete: str) -> Completions:
    """Return the newest approvals whose ids begin so."""
    return _complete_approval(None, incomplete)


def complete_pending(incomplete: str) -> Completions:
    """Return those that wait for a decision."""
    return _complete_approval("pending", incomplete)


def complete_approved(incomplete: str) -> Completions:
    """Return those that may still be revoked."""
    return _complete_approval("approved", incomplete)


def complete_unknown(incomplete: str) -> Completions:
    """Return those whose execution is to be settled."""
    return _complete_approval("unknown", incomplete)
