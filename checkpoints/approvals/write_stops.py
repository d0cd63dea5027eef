"""What stops every write: the kill switch and change freezes, stored ones and the policy's; not diagnosis."""

from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.approvals.freezes import find_holding, sealed_freezes, stored_freezes
from checkpoints.approvals.write_budget import count_writes, find_spent_budget
from checkpoints.audit import log
from checkpoints.audit.rows import consult
from checkpoints.audit.seals import name_of
from checkpoints.audit.witness import Witness
from checkpoints.db.engine import Transaction
from checkpoints.db.locks import hold_stops
from checkpoints.db.tables import FreezeRow, KillSwitchRow
from graph.policy import Policy, find_freeze


class KillSwitch(BaseModel):
    """Whether all writes are stopped, who said so, and why. `by` is empty if it was never touched."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    engaged: bool
    by: str = ""
    reason: str = ""
    at: AwareDatetime | None = None


class WriteStanding(BaseModel):
    """Whether anything could be written now, under which policy, and what is left of its budget."""

    model_config = ConfigDict(frozen=True)

    policy_version: str
    stopped_by: str | None
    approving_stopped_by: str | None = None
    """The kill switch or freeze under which approving is refused; None if only the budget is used up."""
    writes_per_hour: int
    writes_last_hour: int


async def find_stop(session: AsyncSession, policy: Policy, namespace: str | None) -> str | None:
    """Return why nothing may be written in a namespace (None: anywhere) at this moment, or None.

    The kill switch and the freezes are what the audit has sealed. Tables that say otherwise stop everything.
    The caller holds the stops, so that both are read as they are at one moment.
    """
    now = datetime.now(UTC)
    witness = await consult(session)
    if not witness.doubt:
        switch = sealed_switch(witness)
        if switch.engaged:
            return f"the kill switch is on (by {switch.by}: {switch.reason})"
        if freeze := find_holding(witness, now, namespace):
            return f"a change freeze holds until {freeze.ends_at:%Y-%m-%d %H:%M} UTC ({freeze.reason})"
        if held := find_freeze(policy.freezes, now, namespace):
            return f"the policy's freeze {held.window.name} holds until {held.until:%Y-%m-%d %H:%M} UTC"
    doubt = await _find_doubt(session, witness)
    return f"{doubt}. An admin must look at it, and then run `mendgate audit accept`" if doubt else None


async def find_doubt(session: AsyncSession) -> str | None:
    """Return why neither the audit nor the stops can be relied on, or None: writes are stopped until then.

    The caller holds the stops, so that both are read as they are at one moment.
    """
    return await _find_doubt(session, await consult(session))


async def _find_doubt(session: AsyncSession, witness: Witness) -> str | None:
    if witness.doubt:
        return witness.doubt
    sealed, stored = sealed_switch(witness), await _latest_switch(session)
    if (stored.engaged, name_of(stored.by)) != (sealed.engaged, sealed.by):
        return "the kill switch in the database isn't as the audit has sealed it: somebody has altered it"
    now = datetime.now(UTC)
    spans = [
        {(one.id, one.starts_at, one.ends_at, one.namespaces) for one in freezes}
        for freezes in (await stored_freezes(session, now), sealed_freezes(witness, now))
    ]
    if odd := sorted(one[0] for one in spans[0] ^ spans[1]):
        return f"freeze {odd[0]} in the database isn't as the audit has sealed it: somebody has altered it"
    return None


async def unite_switch(session: AsyncSession) -> KillSwitch:
    """Return the kill switch, on where the seals or the table say so, and empty the table for it.

    Its reason is empty where only the table says so: nobody knows whose words those are.
    """
    sealed, stored = sealed_switch(await consult(session)), await _latest_switch(session)
    await session.execute(delete(KillSwitchRow))  # a forged row may have a number that no later one exceeds
    return sealed if sealed.engaged else KillSwitch(engaged=stored.engaged)


async def unite_freezes(session: AsyncSession) -> list[dict[str, Any]]:
    """Have the table hold what the seals do, too; return the freezes of both that hold now or later.

    Of a freeze that both know the sealed window counts.
    """
    now = datetime.now(UTC)
    witness = await consult(session)
    freezes = {one.id: one for one in await stored_freezes(session, now)}
    for freeze in sealed_freezes(witness, now):
        freezes[freeze.id] = freeze
        columns = freeze.model_dump(exclude={"source"})
        await session.merge(FreezeRow(**columns, created_at=now, ended_at=None))
    return [one.model_dump(mode="json") for one in freezes.values()]


class Stops:
    """Sets and reads the kill switch, and says what stops writes now."""

    def __init__(self, transaction: Transaction, policy: Policy) -> None:
        self._transaction = transaction
        self._policy = policy

    async def kill_switch(self) -> KillSwitch:
        """Return the kill switch as it was sealed last."""
        async with self._transaction() as session:
            return sealed_switch(await consult(session))

    async def start_stopped(self) -> None:
        """Turn the kill switch on in the service's own name, unless somebody has done so already."""
        if not (await self.kill_switch()).engaged:
            reason = "the service was told to start stopped (MENDGATE_START_STOPPED, or --stopped)"
            await self.set_kill_switch(engaged=True, by=log.SERVICE, reason=reason)

    async def doubt(self) -> str | None:
        """Return why neither the audit nor the stops can be relied on, which stops all writes, or None."""
        async with self._transaction() as session:
            await hold_stops(session, "obey")
            return await find_doubt(session)

    async def set_kill_switch(self, *, engaged: bool, by: str, reason: str) -> KillSwitch:
        """Turn the kill switch on or off; every setting is kept."""
        async with self._transaction() as session:
            await hold_stops(session, "set")
            return await set_switch(session, engaged=engaged, by=by, reason=reason)

    async def standing(self, namespace: str | None = None) -> WriteStanding:
        """Return what stops every write in a namespace (None: anywhere) now, and what the budget has left."""
        async with self._transaction() as session:
            await hold_stops(session, "obey")
            stop = await find_stop(session, self._policy, namespace)
            return WriteStanding(
                policy_version=self._policy.version,
                stopped_by=stop or await find_spent_budget(session, self._policy),
                approving_stopped_by=stop,
                writes_per_hour=self._policy.writes_per_hour,
                writes_last_hour=await count_writes(session),
            )


def sealed_switch(witness: Witness) -> KillSwitch:
    """Return the kill switch as the newest sealed word about it says."""
    if (link := witness.switch) is None:
        return KillSwitch(engaged=False)
    return KillSwitch(
        engaged=link.facts["engaged"], by=link.actor, reason=link.facts["reason"], at=link.instant
    )


async def set_switch(session: AsyncSession, *, engaged: bool, by: str, reason: str) -> KillSwitch:
    """Turn the kill switch on or off in the caller's transaction, which holds the stops."""
    row = KillSwitchRow(engaged=engaged, by=by, reason=reason, at=datetime.now(UTC))
    session.add(row)
    await session.flush()
    await log.append(session, "kill_switch", actor=by, engaged=engaged, reason=reason)
    return KillSwitch.model_validate(row)


async def _latest_switch(session: AsyncSession) -> KillSwitch:
    row = await session.scalar(select(KillSwitchRow).order_by(KillSwitchRow.id.desc()).limit(1))
    return KillSwitch.model_validate(row) if row else KillSwitch(engaged=False)
