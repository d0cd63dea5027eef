"""`mendgate doctor`: what is wrong, before an alert finds out."""

import typer

from api.cli.terminal.output import Format, Output, show


def doctor(output: Output = Format.TEXT) -> None:
    """Check settings, database, both credentials, MCP servers and model; say how to fix what is wrong.

    It changes nothing. Exit code 0 if nothing failed; warnings don't count.

    Example: mendgate doctor
    """
    import asyncio
    import logging

    from api.cli.terminal.examination import render_examination
    from api.doctor.checkup import examine

    logging.getLogger().addHandler(logging.NullHandler())  # the examination says it all
    found = asyncio.run(examine())
    show(found, lambda: render_examination(found), output)
    if found.count("failed"):
        raise typer.Exit(1)
