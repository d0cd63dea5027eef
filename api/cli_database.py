"""`alertmend migrate`: bring the database to what this version needs."""

import typer


def migrate() -> None:
    """Bring the database (ALERTMEND_DATABASE_URL) up to date; again does no harm.

    Postgres needs it before a new version is started; SQLite's file is brought up to date by `serve` itself.
    """
    import asyncio

    from api.settings import load_settings
    from checkpoints.schema import migrate_database

    asyncio.run(migrate_database(load_settings().database_url, typer.echo))
