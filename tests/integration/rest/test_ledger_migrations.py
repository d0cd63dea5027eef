"""The migrations build exactly the tables that the code describes, and take them back, on both databases."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, text

from checkpoints.db.engine import make_engine, parse_url
from checkpoints.db.errors import SchemaMismatch
from checkpoints.db.tables import Base
from checkpoints.ledger import open_ledger
from checkpoints.migrate import MIGRATIONS, configure, migrate, migrate_database, require_current
from checkpoints.savers.opening import open_saver
from tests.databases import PostgresUnderTest

T = TypeVar("T")
_INCIDENT = """
    INSERT INTO incidents (id, status, alertname, severity, target_key, "group", reason, advice, run_epoch,
    thread, created_at, updated_at)
    VALUES ('inc-1', 'open', 'a', 'b', 'c', '{}', '', '[]', 0, 1, '2026-11-24', '2026-11-24')
"""
NEWEST = max(path.stem[:4] for path in (MIGRATIONS / "versions").glob("*.py"))


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/fresh.db"
        return
    server: PostgresUnderTest = request.getfixturevalue("postgres")
    with server.empty_database() as url:
        yield url


@pytest.fixture
def postgres_url(postgres: PostgresUnderTest) -> Iterator[str]:
    with postgres.empty_database() as url:
        yield url


async def on(url: str, work: Callable[[Connection], T]) -> T:
    """Do something on a connection, in a transaction."""
    engine = make_engine(parse_url(url))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, Base.metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def downgrade(connection: Connection) -> None:
    command.downgrade(configure(connection), "base")


def come_from_the_future(connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


async def test_up_gives_exactly_the_tables_of_the_code(empty_url: str) -> None:
    await on(empty_url, migrate)

    assert await on(empty_url, differences) == []


async def test_up_again_changes_nothing(empty_url: str) -> None:
    await on(empty_url, migrate)
    await on(empty_url, migrate)

    assert set(Base.metadata.tables) < await on(empty_url, tables)


async def test_down_takes_everything_back_and_up_works_again(empty_url: str) -> None:
    await on(empty_url, migrate)

    await on(empty_url, downgrade)
    assert await on(empty_url, tables) == {"alembic_version"}

    await on(empty_url, migrate)
    assert await on(empty_url, differences) == []


async def test_what_was_stored_before_a_migration_is_there_after_it(empty_url: str) -> None:
    await on(empty_url, lambda connection: migrate(connection, "0001"))
    await on(empty_url, _store_evidence)

    await on(empty_url, migrate)

    evidence = Base.metadata.tables["evidence"]
    rows = await on(empty_url, lambda connection: connection.execute(select(evidence)).mappings().all())
    assert [(row["server"], row["text"]) for row in rows] == [("mendgate", "an answer")]


async def test_approvals_from_before_the_policy_file_survive_it_up_and_down(empty_url: str) -> None:
    await on(empty_url, lambda connection: migrate(connection, "0003"))
    await on(empty_url, _store_approvals)

    await on(empty_url, migrate)
    found = await on(empty_url, _read_approvals)
    await on(empty_url, lambda connection: command.downgrade(configure(connection), "0003"))
    await on(empty_url, migrate)

    assert await on(empty_url, _read_approvals) == found
    assert [(row["id"], row["rule"], row["approvers"]) for row in found] == [
        ("apr-1", None, None),
        ("apr-2", None, None),
    ]
    assert found[0]["claimed_at"] == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert found[1]["claimed_at"] is None


def _read_approvals(connection: Connection) -> list[dict[str, object]]:
    table = Base.metadata.tables["approvals"]
    return [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]


def _store_approvals(connection: Connection) -> None:
    connection.execute(
        text(
            'INSERT INTO incidents (id, status, alertname, severity, target_key, "group", reason, advice,'
            " run_epoch, thread, created_at, updated_at)"
            " VALUES ('inc-1', 'open', 'a', 'b', 'c', '{}', '', '[]', 0, 1, '2026-11-24', '2026-11-24')"
        )
    )
    for number in (1, 2):
        connection.execute(
            text(
                "INSERT INTO approvals (id, incident_id, status, namespace, digest, proposal, quorum,"
                " requested_by, own_approval, created_at, decide_by, execute_within_seconds, outcome)"
                f" VALUES ('apr-{number}', 'inc-1', 'applied', 'default', 'd', '{{}}', 1, '', true,"
                " '2026-11-24', '2026-11-24', 1800, '')"
            )
        )
    connection.execute(
        text(
            "INSERT INTO intents (approval_id, attempt, epoch, resource_version, generation, at) VALUES"
            " ('apr-1', 2, 1, '7', 1, '2026-11-24 09:00:00+00:00'),"
            " ('apr-1', 1, 1, '7', 1, '2026-11-24 08:00:00+00:00')"
        )
    )


def _store_evidence(connection: Connection) -> None:
    connection.execute(text(_INCIDENT))
    connection.execute(
        text(
            "INSERT INTO evidence (incident_id, number, tool, arguments, text, is_error, at)"
            " VALUES ('inc-1', 1, 'kubectl_get', '{}', 'an answer', false, '2026-11-24')"
        )
    )


async def test_alerts_stored_before_stand_as_they_were_last_heard(empty_url: str) -> None:
    await on(empty_url, lambda connection: migrate(connection, "0003"))
    await on(empty_url, _store_alerts)

    await on(empty_url, migrate)

    states = Base.metadata.tables["alert_states"]
    rows = await on(empty_url, lambda connection: connection.execute(select(states)).mappings().all())
    found = {(row["fingerprint"], row["status"], row["target_key"], row["incident_id"]) for row in rows}
    assert found == {("a", "resolved", "c", "inc-1"), ("b", "firing", "c", "inc-1")}


def _store_alerts(connection: Connection) -> None:
    connection.execute(text(_INCIDENT))
    connection.execute(
        text("INSERT INTO webhooks (id, received_at, sha256, body) VALUES ('w', '2026-11-24', '', '')")
    )
    for fingerprint, starts_at, status in (
        ("a", "2026-11-23", "firing"), ("a", "2026-11-23", "resolved"), ("b", "2026-11-22", "resolved"),
        ("b", "2026-11-23", "firing"),
    ):  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO alerts"
                " (fingerprint, starts_at, status, webhook_id, incident_id, body, received_at)"
                " VALUES (:fingerprint, :starts_at, :status, 'w', 'inc-1', '{}', '2026-11-24')"
            ),
            {"fingerprint": fingerprint, "starts_at": starts_at, "status": status},
        )


async def test_migrate_brings_both_kinds_of_tables_up_and_says_so(empty_url: str) -> None:
    told: list[str] = []

    await migrate_database(empty_url, told.append)
    await migrate_database(empty_url, told.append)

    assert told[0] == f"the tables went from nothing to revision {NEWEST}"
    assert told[len(told) // 2] == f"the tables are at revision {NEWEST} already"
    assert {"incidents", "checkpoints"} < await on(empty_url, tables)


async def test_two_migrations_at_once_do_no_harm(empty_url: str) -> None:
    told: list[str] = []

    await asyncio.gather(*(migrate_database(empty_url, told.append) for _ in range(3)))

    assert told.count(f"the tables went from nothing to revision {NEWEST}") == 1
    assert await on(empty_url, differences_of_the_ledger) == []


def differences_of_the_ledger(connection: Connection) -> list[object]:
    """Leave the saver's tables out, which aren't ours."""
    found = differences(connection)
    return [one for one in found if not (isinstance(one, tuple) and str(one[0]).startswith("remove_"))]


async def test_a_service_on_an_empty_postgres_says_to_migrate(postgres_url: str) -> None:
    with pytest.raises(SchemaMismatch, match=r"no tables yet.*`mendgate migrate`"):
        async with open_ledger(postgres_url):
            pass


async def test_a_service_on_older_tables_says_to_migrate(postgres_url: str) -> None:
    await on(postgres_url, lambda connection: migrate(connection, "0001"))

    with pytest.raises(SchemaMismatch, match=r"0001.*`mendgate migrate`"):
        await on(postgres_url, require_current)


async def test_a_service_without_the_savers_tables_says_to_migrate(postgres_url: str) -> None:
    await on(postgres_url, migrate)

    with pytest.raises(SchemaMismatch, match=r"checkpoints' tables.*`mendgate migrate`"):
        async with open_saver(postgres_url):
            pass


async def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    await migrate_database(empty_url, lambda _: None)
    await on(empty_url, come_from_the_future)

    with pytest.raises(SchemaMismatch, match="9999"):
        async with open_ledger(empty_url):
            pass
    with pytest.raises(SchemaMismatch, match="newer"):
        await migrate_database(empty_url, lambda _: None)


async def test_a_migrated_postgres_holds_nothing_yet(database_url: str) -> None:
    async with open_ledger(database_url):
        pass

    incidents = Base.metadata.tables["incidents"]
    count = select(func.count()).select_from(incidents)
    assert await on(database_url, lambda connection: connection.execute(count).scalar()) == 0
