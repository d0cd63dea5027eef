"""Roles, and which of them include others."""

from typing import Literal

Role = Literal["ingest", "viewer", "approver", "admin"]
_INCLUDED: dict[Role, frozenset[Role]] = {
    "ingest": frozenset({"ingest"}),
    "viewer": frozenset({"viewer"}),
    "approver": frozenset({"approver", "viewer"}),
    "admin": frozenset({"admin", "approver", "viewer", "ingest"}),
}


def includes(held: Role, needed: Role) -> bool:
    """Whether a role allows what another one is needed for."""
    return needed in _INCLUDED[held]
