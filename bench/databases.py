"""The databases that are measured: fresh SQLite files, and a real Postgres, as durable as by default."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.databases import MortalPostgres, run_mortal_postgres


@dataclass(frozen=True)
class Databases:
    """Where fresh databases come from."""

    postgres: MortalPostgres
    names: tuple[str, ...] = ("SQLite", "Postgres")

    @contextmanager
    def fresh(self, name: str) -> Iterator[str]:
        """Yield the URL of a database with tables and nothing in them, and throw it away."""
        with ExitStack() as stack:
            if name == "Postgres":
                yield stack.enter_context(self.postgres.database())
                return
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mendgate-bench-"))
            yield f"sqlite+aiosqlite:///{Path(folder)}/ledger.db"


@contextmanager
def open_databases() -> Iterator[Databases]:
    """Start Postgres for as long as the block runs."""
    with run_mortal_postgres() as postgres:
        yield Databases(postgres)
