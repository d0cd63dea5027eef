"""`alertmend`: the service, its demo, and a person's way to it from a terminal.

Whatever is heavy is imported inside the command that needs it, so that `--help` stays instant.
"""

import sys
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict

from api import (
    cli_audit,
    cli_controls,
    cli_database,
    cli_decisions,
    cli_doctor,
    cli_freezes,
    cli_notify,
    cli_policy,
    cli_tokens,
    cli_watch,
)
from api.cli_choices import ApprovalStatusName, IncidentStatusName, ScenarioName
from api.completion import complete_approval, complete_incident
from api.terminal import EXIT_CODES, Format, Output, connect, fail, show, tell
from tools.errors import AlertmendError

app = typer.Typer(
    name="alertmend",
    help=f"Turns a Kubernetes alert into an approved, verified fix.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_controls.app, name="kill-switch")
app.add_typer(cli_freezes.app, name="freeze")
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_tokens.app, name="token")
app.add_typer(cli_policy.app, name="policy")
app.add_typer(cli_notify.app, name="notify")
app.command()(cli_database.migrate)
app.command()(cli_doctor.doctor)

Incident = Annotated[
    str,
    typer.Argument(
        help="An incident's id, as inc-0f3a9c1b2d4e5f60.", metavar="ID", autocompletion=complete_incident
    ),
]
Approval = Annotated[
    str,
    typer.Argument(
        help="An approval's id, as apr-7c21d90be4a35f18.", metavar="ID", autocompletion=complete_approval
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many to show.")]
Scenario = Annotated[ScenarioName, typer.Option(help="Which fault to stage.")]


class Report(BaseModel):
    """A report as JSON."""

    model_config = ConfigDict(frozen=True)

    incident_id: str
    markdown: str


def main() -> None:
    """Run the command line; an error is one line and an exit code."""
    try:
        app()
    except AlertmendError as error:
        sys.exit(fail(error))


@app.command()
def serve(
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Turn the kill switch on before anything runs.")
    ] = False,
) -> None:
    """Run the service (settings: docs/settings.md); it stops on Ctrl-C.

    Example: KUBECONFIG=reader.kubeconfig alertmend serve
    """
    import asyncio

    from api.logs import configure_logging
    from api.server import serve
    from api.settings import load_settings

    settings = load_settings()
    configure_logging(style=settings.log_format)
    asyncio.run(serve(settings.model_copy(update={"start_stopped": stopped or settings.start_stopped})))


@app.command()
def reader() -> None:
    """Serve our reading tools over HTTP, apart from the service (docs/security.md); it stops on Ctrl-C.

    Example: KUBECONFIG=reader.kubeconfig ALERTMEND_READER_TOKEN_FILE=reader.secret alertmend reader
    """
    import asyncio

    from api.logs import configure_logging
    from api.reader_server import serve_reader
    from api.settings import load_settings

    settings = load_settings()
    configure_logging(style=settings.log_format)
    asyncio.run(serve_reader(settings))


@app.command()
def demo(
    scenario: Scenario = "image-pull",
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject without asking.")] = False,
    browser: Annotated[bool, typer.Option("--browser", help="Let me decide on the page.")] = False,
) -> None:
    """Break a deployment in the sandbox cluster and mend it, with your approval.

    Example: alertmend demo --scenario oom-killed
    """
    if yes + reject + browser > 1:
        raise typer.BadParameter("--yes, --reject and --browser exclude each other")
    from api.demo import Answer, run

    answer: Answer = "approve" if yes else "reject" if reject else "browser" if browser else "ask"
    raise typer.Exit(run(scenario, answer))


@app.command()
def sandbox(
    scenario: Annotated[
        ScenarioName | None, typer.Option(help="Which fault to stage; none by default.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes any.")] = 0,
) -> None:
    """Run the sandbox cluster alone, with a reader's and a writer's kubeconfig for it.

    Example: alertmend sandbox --scenario image-pull
    """
    import asyncio

    from api.sandbox import serve_sandbox

    asyncio.run(serve_sandbox(scenario, port))


@app.command()
def incidents(
    status: Annotated[IncidentStatusName | None, typer.Option(help="Only those that stand so.")] = None,
    about: Annotated[str, typer.Option(help="Only those with this text in their target or alert.")] = "",
    limit: Limit = 50,
    output: Output = Format.TEXT,
) -> None:
    """List incidents, newest first.

    Example: alertmend incidents --status awaiting_approval
    """
    with connect() as client:
        page = client.incidents(status=status, about=about, limit=limit)
    from api.console import render_incidents

    show(page, lambda: render_incidents(page.items), output)


@app.command()
def incident(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Show one incident: its diagnosis, its approvals, how it ended.

    Example: alertmend incident inc-0f3a9c1b2d4e5f60
    """
    with connect() as client:
        found = client.incident(incident_id)
    from api.console import render_incident

    show(found, lambda: render_incident(found), output)


@app.command()
def report(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Print an incident's report (Markdown).

    Example: alertmend report inc-0f3a9c1b2d4e5f60 > report.md
    """
    with connect() as client:
        text = client.report(incident_id)
    tell(Report(incident_id=incident_id, markdown=text), text.rstrip("\n"), output)


app.command()(cli_watch.watch)


@app.command()
def retry(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Set a failed incident going again.

    Example: alertmend retry inc-0f3a9c1b2d4e5f60
    """
    with connect() as client:
        client.retry(incident_id)
        found = client.incident(incident_id)
    tell(found, f"{incident_id} goes on; follow it with `alertmend watch {incident_id}`", output)


@app.command()
def approvals(
    status: Annotated[ApprovalStatusName | None, typer.Option(help="Only those that stand so.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only those whose target is there.")] = None,
    limit: Limit = 50,
    output: Output = Format.TEXT,
) -> None:
    """List approvals, newest first.

    Example: alertmend approvals --status pending --namespace shop
    """
    with connect() as client:
        page = client.approvals(status=status, namespace=namespace, limit=limit)
    from api.console import render_approvals

    show(page, lambda: render_approvals(page.items), output)


@app.command()
def approval(approval_id: Approval, output: Output = Format.TEXT) -> None:
    """Show one approval: the exact call, its diff, its reasons, and the way back.

    Example: alertmend approval apr-7c21d90be4a35f18 -o json
    """
    with connect() as client:
        found = client.approval(approval_id)
    from api.console import render_proposal

    show(found, lambda: render_proposal(found), output)


app.command()(cli_decisions.approve)
app.command()(cli_decisions.reject)
app.command()(cli_decisions.edit)
app.command()(cli_decisions.revoke)
app.command()(cli_decisions.resolve)
