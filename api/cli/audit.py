"""`mendgate audit`: who did what, and whether that still is what was written."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.terminal.choices import AuditActionName
from api.cli.terminal.output import Format, Output, connect, show, tell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from api.rest.schemas import AuditList

_TELLING = ("summary", "outcome", "verdict", "finding", "engaged", "detail", "reason")
app = typer.Typer(help="Read and verify who did what.", no_args_is_help=True)


@app.command("list")
def list_rows(  # noqa: PLR0913, PLR0917 -- the filters of a list
    incident: Annotated[str | None, typer.Option(help="Only what concerns this incident.")] = None,
    approval: Annotated[str | None, typer.Option(help="Only what concerns this approval.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    action: Annotated[AuditActionName | None, typer.Option(help="Only actions of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many to show.")] = 50,
    output: Output = Format.TEXT,
) -> None:
    """Show who did what, newest first; `-o json` shows what they saw.

    Example: mendgate audit list --actor alice
    """
    with connect() as client:
        found = client.audit(incident=incident, approval=approval, actor=actor, action=action, limit=limit)
    show(found, lambda: _render(found), output)


@app.command()
def verify(output: Output = Format.TEXT) -> None:
    """Tell whether the audit is what was written; exit 1 if not.

    Example: mendgate audit verify
    """
    with connect() as client:
        found = client.verify_audit()
    if output is Format.JSON:
        typer.echo(found.model_dump_json(indent=2))
    else:
        head = f"row {found.head.seq}, sealed {found.head.mac}" if found.head else "no row"
        typer.echo(
            f"the audit {'is' if found.intact else 'is NOT'} intact: {found.rows} rows; newest: {head}"
        )
        for fault in found.faults:
            typer.echo(f"{fault.kind} at row {fault.seq}: {fault.detail}")
        if found.remembered is None:
            typer.echo("no newest row is remembered: that rows were cut off the end wouldn't show")
    if not found.intact:
        raise typer.Exit(1)


@app.command()
def accept(
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit.")], output: Output = Format.TEXT
) -> None:
    """Take the audit and the stops as they are, after they stopped all writes; needs an admin.

    Earlier proposals and approvals aren't executed any more: a new proposal is needed.

    Example: mendgate audit accept --reason "restored the backup of this morning"
    """
    with connect() as client:
        found = client.accept_audit(reason)
    tell(found, f"accepted: {found.doubt}\nwhat stood before is void, and is proposed afresh", output)


def _render(found: "AuditList") -> "RenderableType":
    from rich.table import Table

    from api.cli.terminal.rendering import plain

    table = Table("row", "at (UTC)", "who", "did", "to", "what", box=None, header_style="bold")
    for one in found.items:
        facts = one.document if isinstance(one.document, dict) else {}
        told = "; ".join(_spell(facts[name]) for name in _TELLING if facts.get(name) not in (None, ""))
        about = one.approval_id or one.incident_id or ""
        table.add_row(*map(plain, (one.seq, one.at[:19], one.actor, one.action, about, told)))
    return table


def _spell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
