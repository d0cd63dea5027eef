"""`mendgate freeze`: windows in which nothing is written, from a terminal."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.terminal.output import Format, Output, connect, show, tell
from tools.errors import BadInput

if TYPE_CHECKING:
    from checkpoints.approvals.freezes import Freeze

app = typer.Typer(
    help="Stop writes between two times, everywhere or in some namespaces; diagnosis goes on.",
    no_args_is_help=True,
)
Id = Annotated[str, typer.Argument(help="A freeze's id, as frz-91b2c3d4e5f60718.", metavar="ID")]
Start = Annotated[
    str | None,
    typer.Option("--from", help="As 2026-12-24T08:00, in UTC unless it names a zone. Default: now."),
]
End = Annotated[str, typer.Option("--to", help="As 2026-12-27T08:00, in UTC unless it names a zone.")]
Namespaces = Annotated[
    list[str] | None,
    typer.Option("--namespace", "-n", help="As shop or shop-*; repeatable. Default: every one."),
]
Reason = Annotated[str, typer.Option(help="Why; it is kept, and shown to everybody who is stopped by it.")]


@app.command("list")
def list_freezes(output: Output = Format.TEXT) -> None:
    """Show the freezes that hold now or later, the policy's too.

    Example: mendgate freeze list
    """
    from api.cli.terminal.rendering import render_freezes

    with connect() as client:
        found = client.freezes()
        show(found, lambda: render_freezes(found.items), output)


@app.command()
def add(
    to: End, reason: Reason, start: Start = None, namespace: Namespaces = None, output: Output = Format.TEXT
) -> None:
    """Add a freeze. Proposals can still be rejected in it.

    Example: mendgate freeze add --to 2099-12-27T08:00 --namespace "shop-*" --reason "year-end sale"
    """
    with connect() as client:
        _tell(client.add_freeze(_window(start, to, reason, namespace)), "added", output)


@app.command()
def change(  # noqa: PLR0913, PLR0917 -- a window, as options
    freeze: Id,
    to: End,
    reason: Reason,
    start: Start = None,
    namespace: Namespaces = None,
    output: Output = Format.TEXT,
) -> None:
    """Give a freeze that hasn't ended another window, other namespaces and another reason.

    Example: mendgate freeze change frz-91b2c3d4e5f60718 --to 2099-12-28T08:00 --reason "a day longer"
    """
    with connect() as client:
        _tell(client.change_freeze(freeze, _window(start, to, reason, namespace)), "changed", output)


@app.command()
def end(freeze: Id, reason: Reason, output: Output = Format.TEXT) -> None:
    """End a freeze at once, or call one off that hasn't begun.

    Example: mendgate freeze end frz-91b2c3d4e5f60718 --reason "the release is out"
    """
    with connect() as client:
        ended = client.end_freeze(freeze, reason=reason)
        tell(ended, f"{ended.id} has ended: {ended.reason}", output)


def _window(start: str | None, end: str, reason: str, namespaces: list[str] | None) -> dict[str, Any]:
    starts_at = _read(start) if start else datetime.now(UTC)
    return {
        "starts_at": starts_at.isoformat(),
        "ends_at": _read(end).isoformat(),
        "reason": reason,
        "namespaces": namespaces or [],
    }


def _read(moment: str) -> datetime:
    try:
        read = datetime.fromisoformat(moment)
    except ValueError as error:
        raise BadInput(f"{moment!r} is no time: write it as 2026-12-24T08:00, in UTC") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _tell(freeze: "Freeze", done: str, output: Format) -> None:
    where = ", ".join(freeze.namespaces) or "every namespace"
    span = f"from {freeze.starts_at:%Y-%m-%d %H:%M} to {freeze.ends_at:%Y-%m-%d %H:%M} UTC"
    tell(freeze, f"{done} {freeze.id}: nothing is written in {where} {span} ({freeze.reason})", output)
