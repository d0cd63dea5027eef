"""How the database stands, found out without changing it or making one that isn't there."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlalchemy.engine import URL

from checkpoints.db.engine import is_postgres, make_engine, parse_url, sqlite_path
from checkpoints.db.errors import DatabaseUnavailable, SchemaMismatch, SchemaTooNew, failures_named
from checkpoints.migrate import require_current
from checkpoints.savers.opening import open_saver

Tables = Literal["missing", "older", "current", "newer"]
# a table that isn't there yet is no obstacle: whoever migrates will own it
_WRITABLE = """
    SELECT current_setting('transaction_read_only') = 'off'
    AND coalesce(has_table_privilege(to_regclass('incidents'), 'INSERT, UPDATE'), true)
"""


@dataclass(frozen=True)
class Condition:
    """A database that can be reached and written to, or one that isn't there yet (`exists` False).

    `name` never has the password. `mismatch` says what is wrong with the tables, if anything is. `free_bytes`
    is the room left for a file; of a server it isn't known (None).
    """

    name: str
    tables: Tables
    mismatch: str = ""
    exists: bool = True
    free_bytes: int | None = None


async def examine_database(url: str) -> Condition:
    """Look at the database at `url`. Raises `DatabaseUnavailable`, and `BadInput` for a URL that is none."""
    address = parse_url(url)
    if is_postgres(address):
        return await _examine_postgres(address)
    return await _examine_sqlite(address)


async def _examine_sqlite(address: URL) -> Condition:
    path = sqlite_path(address).absolute()
    folder = _nearest_folder(path)
    free = shutil.disk_usage(folder).free
    if not await asyncio.to_thread(_is_begun, path):
        if not os.access(folder, os.W_OK):
            raise DatabaseUnavailable(f"{path} can't be made: {folder} may not be written to")
        return Condition(str(path), "missing", exists=False, free_bytes=free)
    tables, mismatch = await _compare(address)
    return Condition(str(path), tables, mismatch, free_bytes=free)


async def _examine_postgres(address: URL) -> Condition:
    tables, mismatch = await _compare(address)
    if tables == "current":
        try:
            from checkpoints.queue.jobs import require_queue

            async with open_saver(address.render_as_string(hide_password=False)):
                await require_queue(address)
        except SchemaMismatch as error:
            tables, mismatch = "older", str(error)
    return Condition(f"{address.host or 'a local socket'}, database {address.database}", tables, mismatch)


async def _compare(address: URL) -> tuple[Tables, str]:
    """Begin a transaction as a write would, compare the tables with this version's, and roll it back."""
    engine = make_engine(address)
    try:
        with failures_named():
            async with engine.connect() as connection:
                if is_postgres(address) and not await connection.scalar(text(_WRITABLE)):
                    raise DatabaseUnavailable("this user may only read: the service needs to write")
                await connection.run_sync(require_current)
    except SchemaTooNew as error:
        return "newer", str(error)
    except SchemaMismatch as error:
        return "older", str(error)
    finally:
        await engine.dispose()
    return "current", ""


def _is_begun(path: Path) -> bool:
    """Tell whether there is anything in the file: SQLite takes an empty one for a new database."""
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.is_dir())
