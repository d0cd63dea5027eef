"""`mendgate watch`: open incidents as they change, or one incident's timeline."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.terminal.completion import complete_incident
from api.cli.terminal.output import Format, Output, connect, new_console, print_line

if TYPE_CHECKING:
    from api.cli.terminal.client import Client
    from graph.domain.incident import Incident

_MOST = 200
Every = Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two refreshes.")]


def watch(
    incident_id: Annotated[
        str | None,
        typer.Argument(help="Default: all open incidents.", metavar="[ID]", autocompletion=complete_incident),
    ] = None,
    every: Every = 2.0,
    output: Output = Format.TEXT,
) -> None:
    """Follow one incident's timeline live, until it has ended; or see all open ones, until Ctrl-C.

    With `-o json` each change is one line of JSON.

    Example: mendgate watch inc-0f3a9c1b2d4e5f60
    """
    with connect() as client:
        if incident_id is not None:
            _follow(client, incident_id, output)
            return
        try:
            _watch_all(client, every, output)
        except KeyboardInterrupt:
            return


def _follow(client: "Client", incident_id: str, output: Format) -> None:
    from api.cli.terminal.rendering import render_entry

    for entry in client.follow(incident_id):
        print_line(entry, partial(render_entry, entry), output)


def _watch_all(client: "Client", every: float, output: Format) -> None:
    from rich.live import Live

    from api.cli.terminal.rendering import render_incidents

    looks = _look_again(client, every)
    console = new_console()
    if output is Format.TEXT and console.is_terminal:
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            for present, _ in looks:
                live.update(render_incidents(present) if present else "no incident is open", refresh=True)
    for _, changed in looks:
        for one in changed:
            print_line(one, partial(render_incidents, [one], header=False), output)


def _look_again(
    client: "Client", every: float
) -> Iterator[tuple[Sequence["Incident"], Sequence["Incident"]]]:
    """Yield the open incidents, newest first, and which have changed since the last look; ended ones last."""
    from graph.domain.incident import ACTIVE

    known: dict[str, Incident] = {}
    while True:
        present = {one.id: one for one in _read_open(client)}
        gone = [client.incident(incident_id) for incident_id in known if incident_id not in present]
        # one that went from one status to another between two questions was in neither answer
        present |= {one.id: one for one in gone if one.status in ACTIVE}
        changed = [one for one in present.values() if one != known.get(one.id)]
        ended = [one for one in gone if one.status not in ACTIVE]
        yield tuple(present.values()), (*changed, *ended)
        known = present
        time.sleep(every)


def _read_open(client: "Client") -> Sequence["Incident"]:
    from graph.domain.incident import ACTIVE

    found = [one for status in ACTIVE for one in client.incidents(status=status, limit=_MOST).items]
    return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)
