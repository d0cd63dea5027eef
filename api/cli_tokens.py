"""`alertmend token`: make, list and revoke tokens, in the token file; no running service is needed."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from api.terminal import print_rendered

if TYPE_CHECKING:
    from api.tokens import TokenStore

app = typer.Typer(help="Make, list and revoke bearer tokens (in ALERTMEND_TOKENS).", no_args_is_help=True)
Name = Annotated[str, typer.Option(help="Who it is for; the name stands on every decision.")]


class RoleName(StrEnum):
    """The roles of `api.tokens.Role`."""

    INGEST = "ingest"
    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


@app.command()
def create(
    role: Annotated[RoleName, typer.Option(help="What it allows; admin allows everything.")], name: Name
) -> None:
    """Make a token and print it; it can't be shown again."""
    store = _open_store()
    token = store.create(name, role.value)
    typer.echo(token)
    typer.echo(
        f"Only its hash is kept, in {store.path}. Use it as ALERTMEND_TOKEN or as a bearer token.", err=True
    )


@app.command("list")
def list_tokens() -> None:
    """Show who holds tokens; never the tokens."""
    from api.console import render_tokens

    records = _open_store().records()
    print_rendered(
        render_tokens((one.name, one.role, f"{one.created_at:%Y-%m-%d %H:%M} UTC") for one in records)
    )


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="As `token list` shows it.")]) -> None:
    """Make a token worthless, at once."""
    _open_store().revoke(name)
    typer.echo(f"the token of {name} is revoked")


def _open_store() -> "TokenStore":
    from api.settings import load_settings
    from api.tokens import TokenStore

    return TokenStore(load_settings().tokens)
