"""`mendgate token`: make, list and revoke tokens, in the token file; no running service is needed."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel, ConfigDict

from api.cli.terminal.output import Format, Output, show, tell

if TYPE_CHECKING:
    from api.identity.tokens import TokenStore

app = typer.Typer(help="Make, list and revoke bearer tokens (in MENDGATE_TOKENS).", no_args_is_help=True)
Name = Annotated[str, typer.Option(help="Who it is for; every decision carries this name.")]


class RoleName(StrEnum):
    """The roles of `api.identity.tokens.Role`."""

    INGEST = "ingest"
    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


class NewToken(BaseModel):
    """A token, on the one occasion that it is shown."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: RoleName
    token: str


class Holder(BaseModel):
    """Who holds a token; of one that was revoked, only the name is known."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: RoleName | None = None
    created_at: datetime | None = None


class Holders(BaseModel):
    """Who holds tokens."""

    model_config = ConfigDict(frozen=True)

    items: tuple[Holder, ...]


@app.command()
def create(
    role: Annotated[RoleName, typer.Option(help="What it allows; admin allows everything.")],
    name: Name,
    output: Output = Format.TEXT,
) -> None:
    """Make a token and print it; it can't be shown again.

    Example: mendgate token create --role approver --name alice
    """
    store = _open_store()
    token = store.create(name, role.value)
    tell(NewToken(name=name, role=role, token=token), token, output)
    typer.echo(
        f"Only its hash is kept, in {store.path}. Use it as MENDGATE_TOKEN or as a bearer token.", err=True
    )


@app.command("list")
def list_tokens(output: Output = Format.TEXT) -> None:
    """Show who holds tokens; never the tokens.

    Example: mendgate token list
    """
    from api.cli.terminal.rendering import render_tokens

    records = _open_store().records()
    holders = (Holder(name=one.name, role=RoleName(one.role), created_at=one.created_at) for one in records)
    show(
        Holders(items=tuple(holders)),
        lambda: render_tokens(
            (one.name, one.role, f"{one.created_at:%Y-%m-%d %H:%M} UTC") for one in records
        ),
        output,
    )


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="As `token list` shows it.")], output: Output = Format.TEXT
) -> None:
    """Make a token worthless, at once.

    Example: mendgate token revoke alice
    """
    _open_store().revoke(name)
    tell(Holder(name=name), f"the token of {name} is revoked", output)


def _open_store() -> "TokenStore":
    from api.config.settings import load_settings
    from api.identity.tokens import TokenStore

    return TokenStore(load_settings().tokens)
