"""The audit: who did what, on which grounds, and what came of it; rows that are only ever appended.

A row is written in the transaction of the change that it records, under a lock, so that there is neither a
change without its row nor a row without its change, and the chain never forks.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.audit.hash_chain import Head, Inspection, Link, Verification
from checkpoints.audit.key_files import AuditUnusable, Keeper
from checkpoints.audit.rows import COLUMNS, KEEPER, OWN, PAGE, newest_row
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_audit
from checkpoints.db.tables import ApprovalRow, AuditRow, table_of
from checkpoints.db.text import cut, make_storable
from graph.domain.proposal import Proposal, canonical_json
from tools.errors import BadInput
from tools.redaction.redactor import redact

log = logging.getLogger(__name__)
Action = Literal[
    "begun", "proposed", "approved", "rejected", "edited", "revoked", "expired", "superseded", "withdrawn",
    "claimed", "intent", "outcome", "resolved", "verdict", "retry",
    "kill_switch", "freeze_added", "freeze_changed", "freeze_ended", "accepted",
]  # fmt: skip
SERVICE = "mendgate"
"""The actor where nobody decided: the service itself."""
# What a person looked at stands whole in these; the others name its digest.
_SHOWING: frozenset[Action] = frozenset({"proposed", "approved", "rejected", "edited"})
_SHOWN = (
    "purpose", "risk", "risk_reasons", "grounding", "basis", "target", "target_uid", "tool", "server",
    "terms",
)  # fmt: skip
_APPEND = insert(table_of(AuditRow))
_HEAD = "audit_head"
_TOKEN_DIGITS = 9


class AuditEntry(BaseModel):
    """One row of the audit as it is stored: whether it still is what was written, verifying tells."""

    model_config = ConfigDict(frozen=True)

    seq: int
    at: str
    actor: str
    action: str
    incident_id: str | None
    approval_id: str | None
    document: Any
    previous: str
    mac: str

    @classmethod
    def of(cls, link: Link) -> Self:
        """Return a link with its document as JSON; one that isn't JSON any more stays a text."""
        facts = asdict(link)
        try:
            facts["document"] = json.loads(link.document)
        except ValueError:
            log.warning("row %d of the audit isn't JSON: somebody has altered it", link.seq)
        return cls(**facts)


def keeping(keeper: Keeper) -> dict[str, Any]:
    """Return what sessions must carry so that rows can be appended in them."""
    return {KEEPER: keeper}


async def append(
    session: AsyncSession,
    action: Action,
    *,
    actor: str = SERVICE,
    incident_id: str | None = None,
    approval_id: str | None = None,
    **document: Any,
) -> Head:
    """Append one row in the caller's transaction, and return it as the newest.

    What looks like a credential is stored as `<redacted>`.
    """
    keeper: Keeper = session.info[KEEPER]
    await hold_audit(session)
    last = await newest_row(session)
    link = Link(
        seq=last.seq + 1 if last else 1,
        at=datetime.now(UTC).isoformat(timespec="microseconds"),
        actor=cut(make_storable(actor), 255),
        action=action,
        incident_id=incident_id,
        approval_id=approval_id,
        document=canonical_json(make_storable(redact(document))),
        previous=last.mac if last else "",
    ).sealed(keeper.key)
    follows = await _holds_remembered(session, last)
    await session.execute(_APPEND, asdict(link))
    session.info.setdefault(OWN, link.seq)
    if follows:
        session.info[_HEAD] = link.head
    return link.head


async def append_about(
    session: AsyncSession, action: Action, row: ApprovalRow, actor: str = SERVICE, **facts: Any
) -> None:
    """Append one row about an approval: what it binds, and where a person saw it, all that was seen."""
    proposal = row.proposal
    document = {"status": row.status, "digest": row.digest, "policy_version": proposal["policy_version"]}
    if action in _SHOWING:
        document |= {name: proposal.get(name) for name in _SHOWN}
        document["summary"] = Proposal.model_validate(proposal).summary
        document["diff"] = [_hide_values(change, "before", "after") for change in proposal["diff"]]
        document["arguments"] = _hide_operations(proposal["arguments"])
    await append(
        session, action, actor=actor, incident_id=row.incident_id, approval_id=row.id, **document, **facts
    )


async def remember(session: AsyncSession) -> None:
    """Remember outside of the database what this session, now committed, has appended."""
    if head := session.info.get(_HEAD):
        keeper: Keeper = session.info[KEEPER]
        await keeper.remember(head)


class Audit:
    """Reads and verifies the audit."""

    def __init__(self, transaction: Transaction, keeper: Keeper) -> None:
        self._transaction = transaction
        self._keeper = keeper

    async def open(self) -> None:
        """Read the key, and make it if the audit begins here. Raises `AuditUnusable`.

        The first row is written at once: from then on there is one key, and no service may make another.
        """
        async with self._transaction() as session:
            await hold_audit(session)
            begun = await newest_row(session) is not None
            self._keeper.open(begun=begun)
            if not begun:
                await append(session, "begun")
        if begun and not await self._fits_key():
            raise AuditUnusable(
                "no row of the audit was sealed with the key in MENDGATE_AUDIT_KEY: put the key back that "
                "belongs to this database (docs/audit.md)"
            )
        await self._look_back()

    async def page(  # noqa: PLR0913 -- the filters of a list, by name
        self,
        *,
        incident_id: str | None = None,
        approval_id: str | None = None,
        actor: str | None = None,
        action: Action | None = None,
        limit: int = 50,
        token: str | None = None,
    ) -> tuple[Sequence[AuditEntry], str | None]:
        """Return rows, newest first, and the token of the next page."""
        given = {"incident_id": incident_id, "approval_id": approval_id, "actor": actor, "action": action}
        query = select(*COLUMNS).order_by(AuditRow.seq.desc()).limit(limit + 1)
        query = query.filter_by(**{name: value for name, value in given.items() if value is not None})
        if token:
            query = query.where(AuditRow.seq < _parse_token(token))
        async with self._transaction.reading() as session:
            links = [Link(*row) for row in await session.execute(query)]
        entries = [AuditEntry.of(link) for link in links[:limit]]
        return entries, str(entries[-1].seq) if len(links) > limit else None

    async def verify(self) -> Verification:
        """Look at every row, some hundreds at a time. Raises `AuditUnusable` if the key is gone."""
        await asyncio.to_thread(self._keeper.require_key)
        inspection = Inspection(self._keeper.key, self._keeper.remembered)
        after: int | None = None
        while links := await self._links(after):
            inspection.follow(links)
            after = links[-1].seq
        return inspection.end()

    async def head(self) -> Head | None:
        """Return the newest row."""
        async with self._transaction() as session:
            return await newest_row(session)

    async def _look_back(self) -> None:
        """Have the witness see the whole chain, and hold it against what is remembered of it."""
        witness = self._keeper.witness
        while links := await self._links(witness.head.seq if witness.head else None):
            witness.follow(links)
        if why := self._keeper.find_contradiction():
            witness.contradict(why)

    async def _fits_key(self) -> bool:
        after: int | None = None
        while links := await self._links(after):
            if any(link.is_sealed(self._keeper.key) for link in links):
                return True
            after = links[-1].seq
        return False

    async def _links(self, after: int | None) -> list[Link]:
        query = select(*COLUMNS).order_by(AuditRow.seq).limit(PAGE)
        if after is not None:
            query = query.where(AuditRow.seq > after)
        async with self._transaction() as session:
            return [Link(*row) for row in await session.execute(query)]


async def _holds_remembered(session: AsyncSession, last: Head | None) -> bool:
    """Whether the chain up to `last` has the row that is remembered.

    If not, what is appended behind it is not remembered either: it would hide that rows were cut off.
    """
    keeper: Keeper = session.info[KEEPER]
    if keeper.witness.contradiction:  # a restart would take the chain for the one that was known
        return False
    known: Head | None = session.info.get(_HEAD) or keeper.remembered
    if known is None or known == last:
        return True
    if last and await session.scalar(select(AuditRow.mac).where(AuditRow.seq == known.seq)) == known.mac:
        return True
    log.error("row %d of the audit is remembered and isn't there: see GET /v1/audit/verify", known.seq)
    return False


def _hide_operations(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a call without what looks secret by the path of a JSON patch's operation."""
    data = arguments["patchData"]
    if isinstance(data, list):
        data = [_hide_values(one, "value") for one in data]
    return {**arguments, "patchData": data}


def _hide_values(change: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a change without what looks secret by its path."""
    shown = {
        name: redact({"name": change.get("path"), "value": change[name]})["value"]
        for name in names
        if name in change
    }
    return {**change, **shown}


def _parse_token(token: str) -> int:
    if not token.isascii() or not token.isdecimal() or len(token) > _TOKEN_DIGITS:
        raise BadInput("`continue` isn't a token of this list: take it unchanged from the page before")
    return int(token)
