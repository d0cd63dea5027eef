"""What every command shares: the connection, the two forms of output, errors as one line and an exit code."""

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from api.client import Client, NotAuthenticated, ServiceUnreachable
from tools.errors import AlertmendError
from tools.plain_text import make_plain

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

_REFUSED, _UNREACHABLE = 1, 3
_PIPE_COLUMNS = 200
EXIT_CODES = (
    "Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the service can't be reached or doesn't know "
    "the token. The service is found by ALERTMEND_URL, the token by ALERTMEND_TOKEN."
)


class Format(StrEnum):
    """How a command prints what it read."""

    TEXT = "text"
    JSON = "json"


def connect() -> Client:
    """Return a client for the service that the environment names."""
    from api.settings import load_client_settings

    settings = load_client_settings()
    return Client(settings.url, settings.token.get_secret_value() if settings.token else None)


def show(document: "BaseModel", render: "Callable[[], RenderableType]", output: Format) -> None:
    """Print a document as JSON, or as a person wants to see it."""
    if output is Format.JSON:
        typer.echo(document.model_dump_json(indent=2))
    else:
        print_rendered(render())


def print_rendered(renderable: "RenderableType") -> None:
    """Print for a person; in a pipe wide enough that no id is cut."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPE_COLUMNS)
    console.print(renderable)


def fail(error: AlertmendError) -> int:
    """Say on stderr what happened and what to do, in one line; return the exit code."""
    line = make_plain(" ".join(str(error).split()))
    sys.stderr.write(f"alertmend: {line}\n")
    return _UNREACHABLE if isinstance(error, ServiceUnreachable | NotAuthenticated) else _REFUSED


Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]
