"""What stops every write: the kill switch and change freezes, stored ones and the policy's; not diagnosis."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints import audit
from checkpoints.budgets import count_writes, find_spent_budget
from checkpoints.database import Transaction
from checkpoints.locks import hold_stops
from checkpoints.tables import FreezeRow, KillSwitchRow
from graph.identifiers import new_id
from graph.policy import Policy, find_freeze


class KillSwitch(BaseModel):
    """Whether all writes are stopped, who said so, and why. `by` is empty if it was never touched."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    engaged: bool
    by: str = ""
    reason: str = ""
    at: AwareDatetime | None = None


class Freeze(BaseModel):
    """A window in which nothing is written."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str
    by: str
    source: Literal["ledger", "policy"] = "ledger"
    """Where it stands: added over REST, or in the policy (then it is its present or next time)."""


class WriteStanding(BaseModel):
    """Whether anything could be written now, under which policy, and what is left of its budget."""

    model_config = ConfigDict(frozen=True)

    policy_version: str
    stopped_by: str | None
    approving_stopped_by: str | None = None
    """The kill switch or freeze under which approving is refused; None if only the budget is used up."""
    writes_per_hour: int
    writes_last_hour: int


def stop_in_force(now: datetime, policy: Policy) -> ColumnElement[bool]:
    """Return the SQL condition "something stops every write at `now`", for the claim's WHERE."""
    latest = select(func.max(KillSwitchRow.id)).scalar_subquery()
    switch = select(1).where(KillSwitchRow.id == latest, KillSwitchRow.engaged).exists()
    freeze = select(1).where(FreezeRow.starts_at <= now, FreezeRow.ends_at > now).exists()
    return or_(switch, freeze, literal(find_freeze(policy.freezes, now) is not None))


async def find_stop(session: AsyncSession, policy: Policy) -> str | None:
    """Return why nothing may be written at this moment, or None."""
    now = datetime.now(UTC)
    if not await session.scalar(select(stop_in_force(now, policy))):
        return None
    switch = await _latest_switch(session)
    if switch.engaged:
        return f"the kill switch is on (by {switch.by}: {switch.reason})"
    freeze = await session.scalar(
        select(FreezeRow).where(FreezeRow.starts_at <= now, FreezeRow.ends_at > now).limit(1)
    )
    if freeze:
        return f"a change freeze holds until {freeze.ends_at:%Y-%m-%d %H:%M} UTC ({freeze.reason})"
    if held := find_freeze(policy.freezes, now):
        return f"the policy's freeze {held.window.name} holds until {held.until:%Y-%m-%d %H:%M} UTC"
    return None


class Stops:
    """Sets and reads the kill switch and the freezes."""

    def __init__(self, transaction: Transaction, policy: Policy) -> None:
        self._transaction = transaction
        self._policy = policy

    async def kill_switch(self) -> KillSwitch:
        """Return the kill switch as it stands."""
        async with self._transaction() as session:
            return await _latest_switch(session)

    async def set_kill_switch(self, *, engaged: bool, by: str, reason: str) -> KillSwitch:
        """Turn the kill switch on or off; every setting is kept."""
        async with self._transaction() as session:
            await hold_stops(session, "set")
            session.add(KillSwitchRow(engaged=engaged, by=by, reason=reason, at=datetime.now(UTC)))
            await session.flush()
            await audit.append(session, "kill_switch", actor=by, engaged=engaged, reason=reason)
            return await _latest_switch(session)

    async def freezes(self) -> Sequence[Freeze]:
        """Return the freezes that hold now or later, soonest first."""
        async with self._transaction() as session:
            rows = await session.scalars(
                select(FreezeRow).where(FreezeRow.ends_at > datetime.now(UTC)).order_by(FreezeRow.starts_at)
            )
            stored = [Freeze.model_validate(row) for row in rows]
        return sorted([*stored, *_policy_freezes(self._policy)], key=lambda freeze: freeze.starts_at)

    async def standing(self) -> WriteStanding:
        """Return what stops every write at this moment, and what the policy's budget has left."""
        async with self._transaction() as session:
            stop = await find_stop(session, self._policy)
            return WriteStanding(
                policy_version=self._policy.version,
                stopped_by=stop or await find_spent_budget(session, self._policy),
                approving_stopped_by=stop,
                writes_per_hour=self._policy.writes_per_hour,
                writes_last_hour=await count_writes(session),
            )

    async def add_freeze(self, *, starts_at: datetime, ends_at: datetime, reason: str, by: str) -> Freeze:
        """Add a freeze."""
        async with self._transaction() as session:
            await hold_stops(session, "set")
            row = FreezeRow(
                id=new_id("frz"), starts_at=starts_at, ends_at=ends_at, reason=reason, by=by,
                created_at=datetime.now(UTC),
            )  # fmt: skip
            session.add(row)
            await session.flush()
            freeze = Freeze.model_validate(row)
            await audit.append(session, "freeze_added", actor=by, freeze=freeze.model_dump(mode="json"))
            return freeze


def _policy_freezes(policy: Policy) -> Iterator[Freeze]:
    now = datetime.now(UTC)
    for window in policy.freezes:
        if span := window.next_span(now):
            yield Freeze(
                id=f"policy:{window.name}", starts_at=span[0], ends_at=span[1],
                reason=window.reason, by=f"policy {policy.name}", source="policy",
            )  # fmt: skip


async def _latest_switch(session: AsyncSession) -> KillSwitch:
    row = await session.scalar(select(KillSwitchRow).order_by(KillSwitchRow.id.desc()).limit(1))
    return KillSwitch.model_validate(row) if row else KillSwitch(engaged=False)
