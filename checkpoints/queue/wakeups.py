"""Wake-ups that are committed with what they follow from, so that no replica needs to be told.

On SQLite there is nothing to write down: the one process wakes its own runner, and sweeps.
"""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession


async def wake(session: AsyncSession, incident_ids: Collection[str]) -> None:
    """Have some replica look at the incidents once the caller's transaction is committed."""
    if not incident_ids or session.get_bind().dialect.name != "postgresql":
        return
    from checkpoints.queue.jobs import put_within

    raw = await (await session.connection()).get_raw_connection()
    await put_within(raw.driver_connection, incident_ids)
