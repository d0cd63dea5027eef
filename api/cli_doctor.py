"""`alertmend doctor`: what is wrong, before an alert finds out."""

import typer

from api.terminal import Format, Output, show


def doctor(output: Output = Format.TEXT) -> None:
    """Check settings, database, both credentials, MCP servers and model; say how to mend what is wrong.

    It changes nothing. Exit code 0 if nothing failed; warnings don't count.

    Example: alertmend doctor
    """
    import asyncio
    import logging

    from api.doctor import examine
    from api.doctor_table import render_examination

    logging.getLogger().addHandler(logging.NullHandler())  # the examination says it all
    found = asyncio.run(examine())
    show(found, lambda: render_examination(found), output)
    if found.count("failed"):
        raise typer.Exit(1)
