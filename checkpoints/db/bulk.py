"""Many rows or many names in one statement."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from checkpoints.db.tables import Base, table_of


async def insert_all(session: AsyncSession, row: type[Base], values: Sequence[dict[str, Any]]) -> None:
    """Insert rows of one kind, given by their values; where there are none, nothing is asked."""
    if values:
        await session.execute(insert(table_of(row)), values)


_PARAMETERS = 500


def in_chunks(names: Collection[str]) -> Iterator[list[str]]:
    """Split names into as many lists as it takes."""
    ordered = sorted(names)
    return (ordered[start : start + _PARAMETERS] for start in range(0, len(ordered), _PARAMETERS))
