"""The audit's rows as a transaction finds them, and as the witness of this process knows them."""

from dataclasses import fields

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.audit.hash_chain import Head, Link
from checkpoints.audit.key_files import Keeper
from checkpoints.audit.witness import Witness
from checkpoints.db.tables import AuditRow

COLUMNS = tuple(getattr(AuditRow, field.name) for field in fields(Link))
PAGE = 500
KEEPER = "audit_keeper"
"""Where a session carries who holds the key."""
OWN = "audit_own"
"""Where a session carries the number of the first row that it has appended itself."""
_NEWEST = select(AuditRow.seq, AuditRow.mac).order_by(AuditRow.seq.desc()).limit(1)


async def read_sealed(session: AsyncSession, approval_id: str) -> list[Link] | None:
    """Return the rows about an approval that still stands, oldest first, if each is as it was sealed.

    None where it has ended, was never sealed, or where its rows aren't all there as they were written.
    What this transaction has appended itself is left out.
    """
    known = (await consult(session)).approvals.get(approval_id)
    query = select(*COLUMNS).where(AuditRow.approval_id == approval_id).order_by(AuditRow.seq)
    if own := session.info.get(OWN):
        query = query.where(AuditRow.seq < own)
    links = [Link(*row) for row in await session.execute(query)]
    keeper: Keeper = session.info[KEEPER]
    is_whole = tuple(link.mac for link in links) == known and all(
        link.is_sealed(keeper.key) for link in links
    )
    return links if is_whole else None


def witness_of(session: AsyncSession) -> Witness:
    """Return the witness as it is, who may not have seen the newest rows yet: see `consult`."""
    keeper: Keeper = session.info[KEEPER]
    return keeper.witness


async def consult(session: AsyncSession) -> Witness:
    """Return the witness, who has seen all that was committed before this transaction appended anything."""
    keeper: Keeper = session.info[KEEPER]
    witness = keeper.witness
    # Before its turn: whoever had the turn and waited for a connection would wait for those who have one.
    await session.connection()
    async with keeper.looking:
        # once it is contradicted, what is remembered isn't there until an admin has accepted the chain
        if lost := await _catch_up(session, witness, None if witness.contradiction else keeper.remembered):
            witness.contradict(f"row {lost.seq} of the audit was there and is gone")
            witness.forget()
            await _catch_up(session, witness, None)
        if acceptance := witness.take_acceptance():
            await keeper.accept(acceptance)
    return witness


async def _catch_up(session: AsyncSession, witness: Witness, known: Head | None) -> Head | None:
    """Show the witness what was appended; return a row that has been there and is gone, if there is one.

    `known` is the newest row of this process, which the witness needn't have seen yet.
    """
    own = session.info.get(OWN)
    while True:
        seen = witness.head
        query = select(*COLUMNS).order_by(AuditRow.seq).limit(PAGE)
        query = query.where(AuditRow.seq >= (seen.seq if seen else 0))
        query = query if own is None else query.where(AuditRow.seq < own)
        links = [Link(*row) for row in await session.execute(query)]
        heads = [link.head for link in links]
        if seen and seen not in heads:
            return seen
        witness.follow(links)
        known = None if known in heads or (seen and known and known.seq < seen.seq) else known
        if len(links) < PAGE:
            return known


async def newest_row(session: AsyncSession) -> Head | None:
    """Return the newest row that the transaction sees, its own included; None if there is none."""
    row = (await session.execute(_NEWEST)).first()
    return Head(seq=row.seq, mac=row.mac) if row else None
