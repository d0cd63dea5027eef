"""How the audit stands, found out without changing it: what a service would say that started now."""

from pathlib import Path

from sqlalchemy.ext.asyncio import async_sessionmaker

from checkpoints.approvals.write_stops import find_doubt
from checkpoints.audit.key_files import Keeper
from checkpoints.audit.log import keeping
from checkpoints.audit.rows import consult, newest_row
from checkpoints.db.engine import make_engine, parse_url
from checkpoints.db.errors import failures_named
from checkpoints.db.locks import hold_stops


async def examine_audit(url: str, key: Path) -> str | None:
    """Return why the audit or the stops in a database would stop all writes; None if they wouldn't.

    The tables must be this version's. Every row is read. Raises `AuditUnusable` and `DatabaseUnavailable`.
    """
    keeper = Keeper(key)
    engine = make_engine(parse_url(url), reading=True)
    try:
        with failures_named():
            async with async_sessionmaker(engine, info=keeping(keeper))() as session:
                if await newest_row(session) is None:
                    return None
                keeper.open(begun=True)
                await hold_stops(session, "obey")
                witness = await consult(session)
                if why := keeper.find_contradiction():
                    witness.contradict(why)
                return await find_doubt(session)
    finally:
        await engine.dispose()
