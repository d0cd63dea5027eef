"""How approvals and incidents ended, held against the sealed audit: an end that nobody sealed is none.

Ends lead to no write, so that they aren't asked of the witness; but a person reads them, and what a run does
next depends on them. A row that says otherwise than the newest sealed word is shown as what is known then:
that nobody knows how it ended.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from checkpoints.audit_files import Keeper
from checkpoints.audit_rows import COLUMNS, KEEPER
from checkpoints.chain import Link
from checkpoints.storable import make_storable
from checkpoints.tables import ApprovalRow, AuditRow, IncidentRow
from tools.redaction import redact

ENDED = frozenset(
    {"rejected", "expired", "superseded", "withdrawn", "revoked", "applied", "failed", "unknown"}
)
_SETTLED = {"applied": "applied", "not_applied": "failed"}


async def find_unsealed_ends(session: AsyncSession, rows: Sequence[ApprovalRow]) -> dict[str, str]:
    """Return the approvals that the database says have ended, and the audit doesn't; by id, why not."""
    ended = [row for row in rows if row.status in ENDED]
    last = await _newest(session, AuditRow.approval_id, [row.id for row in ended])
    return {row.id: _differing(row.status) for row in ended if not _seals_end(last.get(row.id), row)}


async def find_unsealed_verdicts(session: AsyncSession, rows: Sequence[IncidentRow]) -> dict[str, str]:
    """Return the incidents whose verdict isn't the one that the audit has sealed; by id, what is wrong."""
    judged = [row for row in rows if row.verdict or row.status == "resolved"]
    ids = [row.id for row in judged]
    last = await _newest(session, AuditRow.incident_id, ids, AuditRow.action == "verdict")
    return {
        row.id: _differing(row.verdict or row.status)
        for row in judged
        if not _seals_verdict(last.get(row.id), row)
    }


async def _newest(
    session: AsyncSession, subject: InstrumentedAttribute[str | None], ids: Sequence[str], *conditions: Any
) -> dict[str, Link]:
    """Return the newest row about each subject, where it bears its seal."""
    if not ids:
        return {}
    newest = select(func.max(AuditRow.seq)).where(subject.in_(ids), *conditions).group_by(subject)
    keeper: Keeper = session.info[KEEPER]
    found = await session.execute(select(*COLUMNS, subject).where(AuditRow.seq.in_(newest)))
    links = {row[-1]: Link(*row[:-1]) for row in found}
    return {about: link for about, link in links.items() if link.is_sealed(keeper.key)}


def _seals_end(link: Link | None, row: ApprovalRow) -> bool:
    """Whether this word about an approval is the end that its row tells of, and gives the same reason."""
    if link is None:
        return False
    facts = link.facts
    if link.action == "outcome":
        return bool(facts["outcome"] == row.status and facts["detail"] == _sealed("detail", row.outcome))
    if link.action == "resolved":
        return _SETTLED[facts["finding"]] == row.status
    if link.action == "edited":
        return row.status == "superseded" and facts["successor"] == row.superseded_by
    if link.action == "revoked":
        return row.status == "revoked"
    return link.action == row.status and facts["reason"] == _sealed("reason", row.outcome)


def _seals_verdict(link: Link | None, row: IncidentRow) -> bool:
    if link is None or link.facts["verdict"] != row.verdict:
        return False
    reason = (row.verification or {}).get("reason")
    return bool(link.facts["reason"] == _sealed("reason", reason))


def _sealed(name: str, text: Any) -> Any:
    """Return a text as the audit stores it."""
    return make_storable(redact({name: text}))[name]


def _differing(claimed: str) -> str:
    return (
        f"the database says {claimed}, and the audit has sealed no such end: somebody has altered the "
        "database; look at the object itself, and see GET /v1/audit/verify"
    )
