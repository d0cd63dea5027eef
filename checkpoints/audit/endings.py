"""How approvals and incidents ended, held against the sealed audit: an end that nobody sealed is none.

Ends lead to no write, so that they aren't asked of the witness; but a person reads them, and what a run does
next depends on them. A row that says otherwise than the newest sealed word is shown as what is known then:
that nobody knows how it ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from checkpoints.audit.hash_chain import Link
from checkpoints.audit.key_files import Keeper
from checkpoints.audit.rows import COLUMNS, KEEPER
from checkpoints.db.tables import ApprovalRow, AuditRow, IncidentRow
from checkpoints.db.text import make_storable
from tools.redaction.redactor import redact

ENDED = frozenset(
    {"rejected", "expired", "superseded", "withdrawn", "revoked", "applied", "failed", "unknown"}
)
_SETTLED = {"applied": "applied", "not_applied": "failed"}


@dataclass(frozen=True)
class End:
    """What the audit says of an end. `doubt` is why it isn't the database's, or empty.

    `words` are the sealed ones where the database has others: somebody has altered them, or an older version
    blanked other parts of them. None: there are no others.
    """

    doubt: str = ""
    words: str | None = None

    def tell(self, stored: str) -> str:
        """Return the words of the end: the sealed ones, where the database has others."""
        return stored if self.words is None else self.words


_AS_IT_STANDS = End()


async def read_ends(session: AsyncSession, rows: Sequence[ApprovalRow]) -> dict[str, End]:
    """Return how approvals have ended by the audit, by id; those that haven't ended are as they stand."""
    ended = [row for row in rows if row.status in ENDED]
    last = await _newest(session, AuditRow.approval_id, [row.id for row in ended])
    return {row.id: _AS_IT_STANDS for row in rows} | {row.id: _end(last.get(row.id), row) for row in ended}


async def read_verdicts(session: AsyncSession, rows: Sequence[IncidentRow]) -> dict[str, End]:
    """Return the verdicts about incidents by the audit, by id, likewise; `words` are the verdict's reason."""
    judged = [row for row in rows if row.verdict or row.status == "resolved"]
    ids = [row.id for row in judged]
    last = await _newest(session, AuditRow.incident_id, ids, AuditRow.action == "verdict")
    return {row.id: _AS_IT_STANDS for row in rows} | {
        row.id: _verdict(last.get(row.id), row) for row in judged
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


def _end(link: Link | None, row: ApprovalRow) -> End:
    """Return what this word about an approval makes of the end that its row tells of."""
    if link is None or not _is_end(link, row):
        return End(doubt=_differing(row.status))
    name = "detail" if link.action == "outcome" else "reason"
    if link.action not in {"outcome", row.status} or link.action == "revoked":
        return _AS_IT_STANDS  # its words are made of what was compared
    return End(words=_differing_words(name, row.outcome, link.facts[name]))


def _is_end(link: Link, row: ApprovalRow) -> bool:
    facts = link.facts
    if link.action == "outcome":
        return bool(facts["outcome"] == row.status)
    if link.action == "resolved":
        return _SETTLED[facts["finding"]] == row.status
    if link.action == "edited":
        return row.status == "superseded" and facts["successor"] == row.superseded_by
    return link.action == row.status


def _verdict(link: Link | None, row: IncidentRow) -> End:
    if link is None or link.facts["verdict"] != row.verdict:
        return End(doubt=_differing(row.verdict or row.status))
    reason = (row.verification or {}).get("reason")
    return End(words=_differing_words("reason", reason, link.facts["reason"]))


def _differing_words(name: str, stored: Any, sealed: str) -> str | None:
    """Return the sealed words, unless the stored ones are these, as the audit stores them."""
    return None if make_storable(redact({name: stored}))[name] == sealed else sealed


def _differing(claimed: str) -> str:
    return (
        f"the database says {claimed}, and the audit has sealed no such end: somebody has altered the "
        "database; look at the object itself, and see GET /v1/audit/verify"
    )
