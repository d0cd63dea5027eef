"""`mendgate notify`: the channels, what they get, and whether they can be reached."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import BaseModel, ConfigDict

from api.cli.terminal.output import Format, Output, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from api.notify.channels import Route
    from api.notify.config_file import Channel

app = typer.Typer(
    help="Check and try the channels that MENDGATE_NOTIFY's file names. Exit code 1 if one can't be used.",
    no_args_is_help=True,
)


class ChannelState(BaseModel):
    """One channel, and what became of a test message."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    events: tuple[str, ...]
    least_risk: str
    test: Literal["not sent", "delivered", "failed"] = "not sent"
    fault: str = ""


class ChannelStates(BaseModel):
    """All channels."""

    model_config = ConfigDict(frozen=True)

    channels: tuple[ChannelState, ...]


@app.command()
def check(output: Output = Format.TEXT) -> None:
    """Tell which channels there are; every mistake by its line. Nothing is sent.

    Example: mendgate notify check
    """
    _print(_examine(only=None, send=False), output)


@app.command("test")
def send_tests(
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    output: Output = Format.TEXT,
) -> None:
    """Send each channel a test message, and tell which of them took it.

    Example: mendgate notify test --channel on-call
    """
    _print(_examine(only=channel, send=True), output)


def _examine(only: str | None, *, send: bool) -> ChannelStates:
    import asyncio

    from api.config.settings import load_settings
    from api.notify.config_file import load_channels
    from tools.errors import BadInput

    channels = [one for one in load_channels(load_settings().notify) if only in {None, one.name}]
    if not channels:
        raise BadInput(
            f"there is no channel {only}" if only else "MENDGATE_NOTIFY names no file: docs/notifications.md"
        )
    return asyncio.run(_try(channels, send=send))


async def _try(channels: "Sequence[Channel]", *, send: bool) -> ChannelStates:
    import asyncio
    import os

    from api.notify.channels import open_channels

    async with open_channels(channels, os.environ) as routes:
        states = (_try_one(channel, routes[channel.name], send=send) for channel in channels)
        return ChannelStates(channels=tuple(await asyncio.gather(*states)))


async def _try_one(channel: "Channel", route: "Route", *, send: bool) -> ChannelState:
    from datetime import UTC, datetime

    from api.notify.messages import compose_test
    from graph.domain.ids import new_id
    from tools.errors import NotDelivered

    state = ChannelState(
        name=channel.name, kind=route.kind, events=channel.events, least_risk=channel.least_risk
    )
    if not send:
        return state
    try:
        await route.send(compose_test(new_id("msg"), channel.name, datetime.now(UTC)))
    except NotDelivered as error:
        return state.model_copy(update={"test": "failed", "fault": str(error)})
    return state.model_copy(update={"test": "delivered"})


def _print(states: ChannelStates, output: Format) -> None:
    show(states, lambda: _render(states), output)
    if any(one.test == "failed" for one in states.channels):
        raise typer.Exit(1)


def _render(states: ChannelStates) -> "RenderableType":
    from api.cli.terminal.rendering import render_table

    return render_table(
        ("channel", "kind", "least risk", "test", "events"),
        (
            (one.name, one.kind, one.least_risk, one.fault or one.test, ", ".join(one.events))
            for one in states.channels
        ),
    )
