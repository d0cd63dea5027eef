"""Change freezes: windows in which nothing is written, in every namespace or in some.

An admin adds, changes and ends those of the ledger; those of the policy are changed in its file.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, field_validator
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.audit import log
from checkpoints.audit.rows import consult
from checkpoints.audit.witness import Witness
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_stops
from checkpoints.db.tables import FreezeRow
from graph.domain.ids import new_id
from graph.policy import Policy, matches_any
from tools.errors import BadInput, MendgateError
from tools.redaction.redactor import redact

_OF_POLICY = "policy:"


class FreezeNotFound(MendgateError):
    """There is no freeze of this id: list the freezes to see which there are."""


class FreezeUnchangeable(MendgateError):
    """The freeze has ended, or it is the policy's: the message says which."""


class FreezeWindow(BaseModel):
    """When nothing is written, where, and why. Times are aware; `ends_at` isn't part of the window."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str
    namespaces: tuple[str, ...] = ()
    """Patterns such as `shop-*`; none means every namespace."""

    @field_validator("namespaces", mode="before")
    @classmethod
    def _read_older_rows(cls, namespaces: object) -> object:
        return () if namespaces is None else namespaces

    def covers(self, namespace: str | None) -> bool:
        """Whether it is about a namespace; one of some namespaces isn't about all of them (None)."""
        return not self.namespaces or (namespace is not None and matches_any(self.namespaces, namespace))


class Freeze(FreezeWindow):
    """A freeze that was added over REST or is written in the policy (then it is its present or next time)."""

    id: str
    by: str
    source: Literal["ledger", "policy"] = "ledger"


class Freezes:
    """Lists, adds, changes and ends freezes."""

    def __init__(self, transaction: Transaction, policy: Policy) -> None:
        self._transaction = transaction
        self._policy = policy

    async def list(self) -> Sequence[Freeze]:
        """Return the freezes that hold now or later, soonest first."""
        async with self._transaction() as session:
            sealed = sealed_freezes(await consult(session), datetime.now(UTC))
        return sorted([*sealed, *_policy_freezes(self._policy)], key=lambda freeze: freeze.starts_at)

    async def add(self, window: FreezeWindow, *, by: str) -> Freeze:
        """Add a freeze."""
        async with self._transaction() as session:
            await hold_stops(session, "set")
            row = FreezeRow(id=new_id("frz"), by=by, created_at=datetime.now(UTC), **_columns(window))
            session.add(row)
            return await _record(session, "freeze_added", row, by)

    async def change(self, freeze_id: str, window: FreezeWindow, *, by: str) -> Freeze:
        """Give a freeze that hasn't ended another window, and the name of who changed it."""
        async with self._transaction() as session:
            row = await self._hold(session, freeze_id)
            row.by = by
            for name, value in _columns(window).items():
                setattr(row, name, value)
            return await _record(session, "freeze_changed", row, by)

    async def end(self, freeze_id: str, *, by: str, reason: str) -> Freeze:
        """End a freeze at once, or call one off that hasn't begun."""
        async with self._transaction() as session:
            row = await self._hold(session, freeze_id)
            row.ended_at = datetime.now(UTC)
            return await _record(session, "freeze_ended", row, by, reason=reason)

    async def _hold(self, session: AsyncSession, freeze_id: str) -> FreezeRow:
        await hold_stops(session, "set")
        if freeze_id.startswith(_OF_POLICY):
            name = freeze_id.removeprefix(_OF_POLICY)
            raise FreezeUnchangeable(
                f"the freeze {name} is part of the policy {self._policy.name}: change it in the policy's file"
            )
        row = await session.get(FreezeRow, freeze_id)
        if row is None:
            raise FreezeNotFound(f"there is no freeze {freeze_id}: list the freezes to see which there are")
        now = datetime.now(UTC)
        if (ended_at := min(row.ended_at or row.ends_at, row.ends_at)) <= now:
            raise FreezeUnchangeable(f"the freeze ended at {ended_at:%Y-%m-%d %H:%M} UTC: add another one")
        return row


def find_holding(witness: Witness, now: datetime, namespace: str | None) -> Freeze | None:
    """Return the sealed freeze that holds in a namespace (None: in all), or None; of several the longest."""
    holding = (freeze for freeze in sealed_freezes(witness, now) if freeze.starts_at <= now)
    return next((freeze for freeze in holding if freeze.covers(namespace)), None)


def sealed_freezes(witness: Witness, now: datetime) -> Sequence[Freeze]:
    """Return the freezes that were sealed and aren't over, those first that hold longest."""
    freezes = (Freeze.model_validate(freeze) for freeze in witness.freezes.values())
    open_ones = (freeze for freeze in freezes if freeze.ends_at > now)
    return sorted(open_ones, key=lambda freeze: freeze.ends_at, reverse=True)


async def stored_freezes(session: AsyncSession, now: datetime) -> Sequence[Freeze]:
    """Return the freezes that aren't over by the table, which decides nothing."""
    rows = await session.scalars(select(FreezeRow).where(_is_open(now)))
    return [Freeze.model_validate(row) for row in rows]


def _is_open(now: datetime) -> ColumnElement[bool]:
    return (FreezeRow.ends_at > now) & FreezeRow.ended_at.is_(None)


def _columns(window: FreezeWindow) -> dict[str, object]:
    return {
        "starts_at": window.starts_at,
        "ends_at": window.ends_at,
        "reason": window.reason,
        "namespaces": list(window.namespaces),
    }


async def _record(session: AsyncSession, action: log.Action, row: FreezeRow, by: str, **facts: str) -> Freeze:
    await session.flush()
    freeze = Freeze.model_validate(row)
    sealed = freeze.model_dump(mode="json")
    if redact(sealed["namespaces"]) != sealed["namespaces"]:  # the audit would hold another freeze
        raise BadInput("a namespace looks like a credential, which the audit never keeps: shorten it with *")
    await log.append(session, action, actor=by, freeze=sealed, **facts)
    return freeze


def _policy_freezes(policy: Policy) -> Iterator[Freeze]:
    now = datetime.now(UTC)
    for window in policy.freezes:
        if span := window.next_span(now):
            yield Freeze(
                id=f"{_OF_POLICY}{window.name}", starts_at=span[0], ends_at=span[1], source="policy",
                reason=window.reason, namespaces=window.namespaces, by=f"policy {policy.name}",
            )  # fmt: skip
