"""One process for one SQLite file: a lock that is held for as long as a process works on the file.

Two services on one file would take each other's incidents over without end. The kernel lets the lock go when
its process ends, however it ends, so that a crash leaves none behind. The file that carries it stays: whoever
removed it could lock another one of the same name.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from checkpoints.db.engine import is_postgres, parse_url, sqlite_path
from tools.errors import BadInput


class DatabaseHeld(BadInput):
    """Another process works on this SQLite file, or the file can't be locked; the message says which."""


@contextmanager
def hold_database(url: str, purpose: str) -> Iterator[None]:
    """Keep other processes off a SQLite file until the block ends; on Postgres nothing needs to be kept off.

    `purpose` is what another process is told. Raises `DatabaseHeld`.
    """
    address = parse_url(url)
    if is_postgres(address):
        yield
        return
    path = sqlite_path(address).resolve()
    with _lock(path, purpose):
        yield


@contextmanager
def _lock(path: Path, purpose: str) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f"{path.name}.lock").open("a+")
    except OSError as error:
        raise DatabaseHeld(f"{path} can't be locked ({error.strerror}): make its folder writable") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(200).strip() or "unknown"
            raise DatabaseHeld(
                f"another process has the database {path} ({holder}): stop it first. SQLite is for one "
                "service; several need Postgres (docs/databases.md)"
            ) from None
        except OSError as error:
            raise DatabaseHeld(
                f"{path} can't be locked ({error.strerror}): put it on a file system that has locks"
            ) from error
        file.truncate(0)
        file.write(f"{purpose}, process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        yield
        file.truncate(0)
