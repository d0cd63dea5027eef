"""`mendgate kill-switch`: stop every write to the cluster, from a terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.terminal.output import Format, Output, connect, tell

if TYPE_CHECKING:
    from checkpoints.approvals.write_stops import KillSwitch

app = typer.Typer(help="Stop every write to the cluster; diagnosis goes on.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Why; it is kept, and shown to everybody who is stopped by it.")]


@app.command()
def on(
    reason: Reason,
    offline: Annotated[
        bool, typer.Option("--offline", help="In the database itself, with the settings of the service.")
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Stop every write; --offline where no service answers.

    Example: mendgate kill-switch on --reason "the cluster is being upgraded"
    """
    if offline:
        import asyncio

        from api.cli.offline import stop_offline
        from api.config.settings import load_settings

        _tell(asyncio.run(stop_offline(load_settings(), reason)), output)
        return
    with connect() as client:
        _tell(client.set_kill_switch(engaged=True, reason=reason), output)


@app.command()
def off(reason: Reason, output: Output = Format.TEXT) -> None:
    """Allow writes again.

    Example: mendgate kill-switch off --reason "the upgrade is done"
    """
    with connect() as client:
        _tell(client.set_kill_switch(engaged=False, reason=reason), output)


@app.command()
def status(output: Output = Format.TEXT) -> None:
    """Show its state.

    Example: mendgate kill-switch status
    """
    with connect() as client:
        _tell(client.kill_switch(), output)


def _tell(switch: "KillSwitch", output: Format) -> None:
    since = f" since {switch.at:%Y-%m-%d %H:%M} UTC by {switch.by}: {switch.reason}" if switch.at else ""
    tell(switch, f"the kill switch is {'on' if switch.engaged else 'off'}{since}", output)
