"""The driver below SQLite's engine: what a statement answers, how it fails, and what the URL asks for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from sqlite3 import connect

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checkpoints.db.engine import make_engine, parse_url


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    opened = make_engine(parse_url(f"sqlite+aiosqlite:///{tmp_path}/some.db"))
    async with opened.begin() as connection:
        await connection.execute(text("CREATE TABLE words (word TEXT PRIMARY KEY)"))
        await insert(connection, "one", "two", "three")
    yield opened
    await opened.dispose()


async def insert(connection: AsyncConnection, *words: str) -> int:
    """Insert words in one statement; return how many rows it says it changed."""
    result = await connection.execute(
        text("INSERT INTO words VALUES (:word)"), [{"word": word} for word in words]
    )
    return result.rowcount


async def words(engine: AsyncEngine) -> set[str]:
    async with engine.begin() as connection:
        return set(await connection.scalars(text("SELECT word FROM words")))


async def test_a_statement_answers_with_its_rows_and_how_many_it_changed(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        many = await insert(connection, "four", "five")
        changed = await connection.execute(text("UPDATE words SET word = word || '!' WHERE word > 'o'"))
        gone = await connection.execute(text("DELETE FROM words WHERE word > 't' RETURNING word"))
        none = await connection.execute(text("SELECT word FROM words WHERE word = 'six'"))

    assert (many, changed.rowcount) == (2, 3)
    assert {word for (word,) in gone} == {"two!", "three!"}
    assert none.all() == []
    assert await words(engine) == {"one!", "four", "five"}


async def test_what_fails_raises_and_takes_its_transaction_back(engine: AsyncEngine) -> None:
    async def insert_twice() -> None:
        async with engine.begin() as connection:
            await insert(connection, "four")
            await insert(connection, "five", "one")

    with pytest.raises(IntegrityError, match="UNIQUE"):
        await insert_twice()
    with pytest.raises(OperationalError, match="no such table"):
        async with engine.begin() as connection:
            await connection.execute(text("SELECT * FROM absent"))
    assert await words(engine) == {"one", "two", "three"}


async def test_a_statement_that_is_cancelled_leaves_no_lock_behind(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async def count() -> None:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        async with engine.begin() as connection:
            await insert(connection, "four")
            begun.set()
            await connection.execute(text(f"{numbers} SELECT max(i) FROM n"))

    begun = asyncio.Event()
    task = asyncio.create_task(count())
    await begun.wait()
    await asyncio.sleep(0)  # into the statement
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    other = connect(tmp_path / "some.db", timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()
    assert await words(engine) == {"one", "two", "three"}


async def test_what_the_url_asks_of_sqlite_is_heeded(tmp_path: Path) -> None:
    connect(tmp_path / "some.db").close()
    engine = make_engine(parse_url(f"sqlite+aiosqlite:///file:{tmp_path}/some.db?mode=ro&uri=true"))

    with pytest.raises(OperationalError, match="readonly"):
        async with engine.begin() as connection:
            await insert(connection, "one")
    await engine.dispose()


async def test_who_only_reads_neither_waits_for_a_writer_nor_holds_one_up_nor_writes(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    reader = make_engine(parse_url(f"sqlite+aiosqlite:///{tmp_path}/some.db"), reading=True)
    read = text("SELECT count(*) FROM words")
    async with engine.begin() as writing:
        await insert(writing, "four")
        async with reader.begin() as reading:
            before = await reading.scalar(read)
            await writing.commit()
            meanwhile = await reading.scalar(read)
            with pytest.raises(OperationalError, match="readonly"):
                await insert(reading, "five")
    async with reader.begin() as reading:
        after = await reading.scalar(read)
    await reader.dispose()

    assert (before, meanwhile, after) == (3, 3, 4)
