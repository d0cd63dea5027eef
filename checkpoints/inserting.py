"""Many rows at once, with one statement, and without the bookkeeping that the ORM does for each."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.tables import Base


async def insert_all(session: AsyncSession, row: type[Base], values: Sequence[dict[str, Any]]) -> None:
    """Insert rows of one kind, given by their values; where there are none, nothing is asked."""
    if values:
        await session.execute(insert(cast("Table", row.__table__)), values)
