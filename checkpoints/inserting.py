"""Many rows at once, with one statement, and without the bookkeeping that the ORM does for each."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.tables import Base, table_of


async def insert_all(session: AsyncSession, row: type[Base], values: Sequence[dict[str, Any]]) -> None:
    """Insert rows of one kind, given by their values; where there are none, nothing is asked."""
    if values:
        await session.execute(insert(table_of(row)), values)
