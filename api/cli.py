"""`alertmend`: the service, its demo, and a person's way to it from a terminal.

Whatever is heavy is imported inside the command that needs it, so that `--help` stays instant.
"""

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api import cli_audit, cli_controls, cli_database, cli_doctor, cli_notify, cli_policy, cli_tokens
from api.cli_choices import ApprovalStatusName, FindingName, IncidentStatusName, ScenarioName
from api.terminal import EXIT_CODES, Format, Output, connect, fail, show
from tools.errors import AlertmendError

if TYPE_CHECKING:
    from api.schemas import ApprovalView
    from graph.incident import Incident as IncidentModel

app = typer.Typer(
    name="alertmend",
    help=f"Turns a Kubernetes alert into an approved, verified fix.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_controls.app, name="kill-switch")
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_tokens.app, name="token")
app.add_typer(cli_policy.app, name="policy")
app.add_typer(cli_notify.app, name="notify")
app.command()(cli_database.migrate)
app.command()(cli_doctor.doctor)

Incident = Annotated[str, typer.Argument(help="An incident's id, as inc-0f3a9c1b2d4e5f60.", metavar="ID")]
Approval = Annotated[str, typer.Argument(help="An approval's id, as apr-7c21d90be4a35f18.", metavar="ID")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the decision.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many to show.")]
Scenario = Annotated[ScenarioName, typer.Option(help="Which fault to stage.")]


def main() -> None:
    """Run the command line; an error is one line and an exit code."""
    try:
        app()
    except AlertmendError as error:
        sys.exit(fail(error))


@app.command()
def serve() -> None:
    """Run the service (settings: docs/settings.md); it stops on Ctrl-C."""
    import asyncio

    from api.logs import configure_logging
    from api.server import serve
    from api.settings import load_settings

    settings = load_settings()
    configure_logging(style=settings.log_format)
    asyncio.run(serve(settings))


@app.command()
def demo(
    scenario: Scenario = "image-pull",
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject without asking.")] = False,
) -> None:
    """Break a deployment in the sandbox cluster and mend it, with your approval."""
    if yes and reject:
        raise typer.BadParameter("--yes and --reject exclude each other")
    from api.demo import run

    raise typer.Exit(run(scenario, yes=yes, reject=reject))


@app.command()
def sandbox(
    scenario: Annotated[
        ScenarioName | None, typer.Option(help="Which fault to stage; none by default.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes any.")] = 0,
) -> None:
    """Run the sandbox cluster alone, with a reader's and a writer's kubeconfig for it."""
    import asyncio

    from api.sandbox import serve_sandbox

    asyncio.run(serve_sandbox(scenario, port))


@app.command()
def incidents(
    status: Annotated[IncidentStatusName | None, typer.Option(help="Only those that stand so.")] = None,
    limit: Limit = 50,
    output: Output = Format.TEXT,
) -> None:
    """List incidents, newest first."""
    with connect() as client:
        page = client.incidents(status=status, limit=limit)
    from api.console import render_incidents

    show(page, lambda: render_incidents(page.items), output)


@app.command()
def incident(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Show one incident: its diagnosis, its approvals, how it ended."""
    with connect() as client:
        found = client.incident(incident_id)
    from api.console import render_incident

    show(found, lambda: render_incident(found), output)


@app.command()
def report(incident_id: Incident) -> None:
    """Print an incident's report (Markdown)."""
    with connect() as client:
        text = client.report(incident_id)
    from api.console import plain

    typer.echo(plain(text).plain.rstrip("\n"))


@app.command()
def watch(
    incident_id: Annotated[
        str | None, typer.Argument(help="Default: the newest incident.", metavar="[ID]")
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Follow an incident's timeline live, until it has ended."""
    from api.console import render_entry

    with connect() as client:
        for entry in client.follow(incident_id or _newest(client.incidents(status=None, limit=1).items)):
            show(entry, partial(render_entry, entry), output)


@app.command()
def retry(incident_id: Incident) -> None:
    """Set a failed incident going again."""
    with connect() as client:
        client.retry(incident_id)
    typer.echo(f"{incident_id} goes on; follow it with `alertmend watch {incident_id}`")


@app.command()
def approvals(
    status: Annotated[ApprovalStatusName | None, typer.Option(help="Only those that stand so.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only those whose target is there.")] = None,
    limit: Limit = 50,
    output: Output = Format.TEXT,
) -> None:
    """List approvals, newest first."""
    with connect() as client:
        page = client.approvals(status=status, namespace=namespace, limit=limit)
    from api.console import render_approvals

    show(page, lambda: render_approvals(page.items), output)


@app.command()
def approval(approval_id: Approval, output: Output = Format.TEXT) -> None:
    """Show one approval: the exact call, its diff, its reasons, and the way back."""
    with connect() as client:
        found = client.approval(approval_id)
    from api.console import render_proposal

    show(found, lambda: render_proposal(found), output)


@app.command()
def approve(
    approval_id: Approval,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Show a proposal, ask, and let exactly that change happen."""
    from api.console import render_proposal

    with connect() as client:
        seen = client.approval(approval_id)
        show(seen, lambda: render_proposal(seen), Format.TEXT)
        if not yes and seen.status == "pending" and not typer.confirm("Let exactly this change happen?"):
            typer.echo("Nothing was decided.", err=True)
            raise typer.Exit(1)
        _tell(client.approve(approval_id, digest=seen.digest, reason=reason))


@app.command()
def reject(
    approval_id: Approval, reason: Annotated[str, typer.Option(help="Why; the diagnosis is told.")]
) -> None:
    """Keep a proposed change from happening."""
    with connect() as client:
        _tell(client.reject(approval_id, reason=reason))


@app.command()
def edit(
    approval_id: Approval,
    patch: Annotated[str, typer.Option(help="The new patch, as JSON.", metavar="JSON")],
    reason: Reason = "",
) -> None:
    """Put a proposal with another patch in this one's place; it waits for its own approval."""
    from api.console import render_proposal

    with connect() as client:
        seen = client.approval(approval_id)
        arguments = {**seen.arguments.as_json(), "patchData": parse_patch(patch)}
        edited = client.edit(approval_id, arguments=arguments, digest=seen.digest, reason=reason)
    show(edited, lambda: render_proposal(edited), Format.TEXT)
    typer.echo(
        f"{approval_id} is superseded by {edited.id}; let it happen with `alertmend approve {edited.id}`"
    )


@app.command()
def revoke(approval_id: Approval, reason: Annotated[str, typer.Option(help="Why.")]) -> None:
    """Take an approval back before it is executed."""
    with connect() as client:
        _tell(client.revoke(approval_id, reason=reason))


@app.command()
def resolve(
    approval_id: Approval,
    outcome: Annotated[FindingName, typer.Option(help="What the object shows: was the patch applied?")],
    reason: Annotated[str, typer.Option(help="How you know.")],
) -> None:
    """Settle an execution whose end is unknown, after you have looked at the object."""
    with connect() as client:
        _tell(client.resolve(approval_id, outcome=outcome, reason=reason))


def parse_patch(text: str) -> object:
    """Return the JSON document that was typed, or raise a usage error."""
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the patch isn't JSON: {error}") from error


def _tell(approval: "ApprovalView") -> None:
    typer.echo(f"{approval.id} is {approval.status}; follow it with `alertmend watch {approval.incident_id}`")


def _newest(incidents: "tuple[IncidentModel, ...]") -> str:
    if not incidents:
        raise AlertmendError("there is no incident yet: send an alert to the webhook first")
    return incidents[0].id
