"""`mendgate migrate`: bring the database to what this version needs."""

import typer
from pydantic import BaseModel, ConfigDict

from api.cli.terminal.output import Format, Output


class Migrated(BaseModel):
    """What a migration did, step by step."""

    model_config = ConfigDict(frozen=True)

    steps: tuple[str, ...]


def migrate(output: Output = Format.TEXT) -> None:
    """Bring the database (MENDGATE_DATABASE_URL) up to date; again does no harm.

    Postgres needs it before a new version is started; SQLite's file is brought up to date by `serve` itself.

    Example: mendgate migrate
    """
    import asyncio

    from api.config.settings import load_settings
    from checkpoints.db.file_lock import hold_database
    from checkpoints.migrate import migrate_database

    steps: list[str] = []
    told = steps.append if output is Format.JSON else typer.echo
    url = load_settings().database_url
    with hold_database(url, "mendgate migrate"):
        asyncio.run(migrate_database(url, told))
    if output is Format.JSON:
        typer.echo(Migrated(steps=tuple(steps)).model_dump_json(indent=2))
