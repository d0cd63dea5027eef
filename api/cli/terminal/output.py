"""What every command shares: the connection, the two forms of output, errors as one line and an exit code."""

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.terminal.client import ANSWER_SECONDS, Client, NotAuthenticated, ServiceUnreachable
from tools.errors import MendgateError
from tools.text.plain_text import make_plain

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console, RenderableType

_REFUSED, _UNREACHABLE = 1, 3
_PIPE_COLUMNS = 200
EXIT_CODES = (
    "Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the service can't be reached or doesn't know "
    "the token. The service is found by MENDGATE_URL, the token by MENDGATE_TOKEN."
)


class Format(StrEnum):
    """How a command prints what it read."""

    TEXT = "text"
    JSON = "json"


def connect(seconds: float = ANSWER_SECONDS) -> Client:
    """Return a client for the service that the environment names, which waits so long for an answer."""
    from api.config.settings import load_client_settings

    settings = load_client_settings()
    token = settings.token.get_secret_value() if settings.token else None
    return Client(settings.url, token, seconds)


def show(document: "BaseModel", render: "Callable[[], RenderableType]", output: Format) -> None:
    """Print a document as JSON, or as a person wants to see it."""
    if output is Format.JSON:
        typer.echo(document.model_dump_json(indent=2))
    else:
        print_rendered(render())


def print_line(document: "BaseModel", render: "Callable[[], RenderableType]", output: Format) -> None:
    """Print one of many documents as they come, at once: as JSON it is one line."""
    if output is Format.JSON:
        typer.echo(document.model_dump_json())
    else:
        print_rendered(render())
    sys.stdout.flush()


def tell(document: "BaseModel", sentence: str, output: Format) -> None:
    """Print what came of a command: as JSON, or as a sentence."""
    typer.echo(document.model_dump_json(indent=2) if output is Format.JSON else make_plain(sentence))


def print_rendered(renderable: "RenderableType", *, err: bool = False) -> None:
    """Print for a person, on stdout or stderr."""
    new_console(err=err).print(renderable)


def new_console(*, err: bool = False) -> "Console":
    """Return the terminal; a pipe is wide enough that no id is cut."""
    from rich.console import Console

    console = Console(highlight=False, stderr=err)
    return console if console.is_terminal else Console(highlight=False, stderr=err, width=_PIPE_COLUMNS)


def fail(error: MendgateError) -> int:
    """Say on stderr what happened and what to do, in one line; return the exit code."""
    line = make_plain(" ".join(str(error).split()))
    sys.stderr.write(f"mendgate: {line}\n")
    return _UNREACHABLE if isinstance(error, ServiceUnreachable | NotAuthenticated) else _REFUSED


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]
