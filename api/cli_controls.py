"""`alertmend kill-switch`: stop every write to the cluster, from a terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.terminal import Format, Output, connect

if TYPE_CHECKING:
    from checkpoints.stops import KillSwitch

app = typer.Typer(help="Stop every write to the cluster; diagnosis goes on.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Why; it is kept, and shown to whoever is stopped by it.")]


@app.command()
def on(reason: Reason) -> None:
    """Stop every write."""
    with connect() as client:
        _tell(client.set_kill_switch(engaged=True, reason=reason))


@app.command()
def off(reason: Reason) -> None:
    """Allow writes again."""
    with connect() as client:
        _tell(client.set_kill_switch(engaged=False, reason=reason))


@app.command()
def status(output: Output = Format.TEXT) -> None:
    """Show how it stands."""
    with connect() as client:
        switch = client.kill_switch()
    if output is Format.JSON:
        typer.echo(switch.model_dump_json(indent=2))
    else:
        _tell(switch)


def _tell(switch: "KillSwitch") -> None:
    from api.console import plain

    since = f" since {switch.at:%Y-%m-%d %H:%M} UTC by {switch.by}: {switch.reason}" if switch.at else ""
    typer.echo(plain(f"the kill switch is {'on' if switch.engaged else 'off'}{since}").plain)
