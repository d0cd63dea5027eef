"""The migrations build exactly the tables that the code describes, and take them back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect

from checkpoints.database import MIGRATIONS, migrate
from checkpoints.tables import Base


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{tmp_path}/fresh.db")
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def downgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


def test_up_gives_exactly_the_tables_of_the_code(connection: Connection) -> None:
    migrate(connection)

    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    assert compare_metadata(context, Base.metadata) == []


def test_up_again_changes_nothing(connection: Connection) -> None:
    migrate(connection)
    migrate(connection)

    assert set(Base.metadata.tables) < set(inspect(connection).get_table_names())


def test_down_takes_everything_back_and_up_works_again(connection: Connection) -> None:
    migrate(connection)

    downgrade(connection)
    assert inspect(connection).get_table_names() == ["alembic_version"]

    migrate(connection)
    assert set(Base.metadata.tables) < set(inspect(connection).get_table_names())
