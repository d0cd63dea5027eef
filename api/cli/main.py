"""`mendgate`: the service, its demo, and a person's way to it from a terminal.

Whatever is heavy is imported inside the command that needs it, so that `--help` stays instant.
"""

import sys
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict

from api.cli import audit, decisions, doctor, freezes, kill_switch, migrate, notify, policy, tokens, watch
from api.cli.terminal.choices import ApprovalStatusName, IncidentStatusName, ScenarioName
from api.cli.terminal.completion import complete_approval, complete_incident
from api.cli.terminal.output import EXIT_CODES, Format, Output, connect, fail, show, tell
from tools.errors import MendgateError

app = typer.Typer(
    name="mendgate",
    help=f"Turns a Kubernetes alert into an approved, verified fix.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(kill_switch.app, name="kill-switch")
app.add_typer(freezes.app, name="freeze")
app.add_typer(audit.app, name="audit")
app.add_typer(tokens.app, name="token")
app.add_typer(policy.app, name="policy")
app.add_typer(notify.app, name="notify")
app.command()(migrate.migrate)
app.command()(doctor.doctor)

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
    except MendgateError as error:
        sys.exit(fail(error))


@app.command()
def serve(
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Turn the kill switch on before anything runs.")
    ] = False,
) -> None:
    """Run the service (settings: docs/settings.md); it stops on Ctrl-C.

    Example: KUBECONFIG=reader.kubeconfig mendgate serve
    """
    import asyncio

    from api.config.settings import load_settings
    from api.observability.logs import configure_logging
    from api.serving.server import serve

    settings = load_settings()
    configure_logging(style=settings.log_format)
    asyncio.run(serve(settings.model_copy(update={"start_stopped": stopped or settings.start_stopped})))


@app.command()
def reader() -> None:
    """Serve our reading tools over HTTP, apart from the service (docs/security.md); it stops on Ctrl-C.

    Example: KUBECONFIG=reader.kubeconfig MENDGATE_READER_TOKEN_FILE=reader.secret mendgate reader
    """
    import asyncio

    from api.config.settings import load_settings
    from api.observability.logs import configure_logging
    from api.serving.reader_server import serve_reader

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
    """Break a deployment in the sandbox cluster and fix it, with your approval.

    Example: mendgate demo --scenario oom-killed
    """
    if yes + reject + browser > 1:
        raise typer.BadParameter("--yes, --reject and --browser exclude each other")
    from api.cli.demo import Answer, run

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

    Example: mendgate sandbox --scenario image-pull
    """
    import asyncio

    from api.cli.sandbox import serve_sandbox

    asyncio.run(serve_sandbox(scenario, port))


@app.command()
def incidents(
    status: Annotated[IncidentStatusName | None, typer.Option(help="Only those with this status.")] = None,
    about: Annotated[str, typer.Option(help="Only those with this text in their target or alert.")] = "",
    limit: Limit = 50,
    output: Output = Format.TEXT,
) -> None:
    """List incidents, newest first.

    Example: mendgate incidents --status awaiting_approval
    """
    with connect() as client:
        page = client.incidents(status=status, about=about, limit=limit)
    from api.cli.terminal.rendering import render_incidents

    show(page, lambda: render_incidents(page.items), output)


@app.command()
def incident(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Show one incident: its diagnosis, its approvals, how it ended.

    Example: mendgate incident inc-0f3a9c1b2d4e5f60
    """
    with connect() as client:
        found = client.incident(incident_id)
    from api.cli.terminal.rendering import render_incident

    show(found, lambda: render_incident(found), output)


@app.command()
def report(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Print an incident's report (Markdown).

    Example: mendgate report inc-0f3a9c1b2d4e5f60 > report.md
    """
    with connect() as client:
        text = client.report(incident_id)
    tell(Report(incident_id=incident_id, markdown=text), text.rstrip("\n"), output)


app.command()(watch.watch)


@app.command()
def retry(incident_id: Incident, output: Output = Format.TEXT) -> None:
    """Set a failed incident going again.

    Example: mendgate retry inc-0f3a9c1b2d4e5f60
    """
    with connect() as client:
        client.retry(incident_id)
        found = client.incident(incident_id)
    tell(found, f"{incident_id} goes on; follow it with `mendgate watch {incident_id}`", output)


@app.command()
def approvals(
    status: Annotated[ApprovalStatusName | None, typer.Option(help="Only those with this status.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only those whose target is there.")] = None,
    limit: Limit = 50,
    output: Output = Format.TEXT,
) -> None:
    """List approvals, newest first.

    Example: mendgate approvals --status pending --namespace shop
    """
    with connect() as client:
        page = client.approvals(status=status, namespace=namespace, limit=limit)
    from api.cli.terminal.rendering import render_approvals

    show(page, lambda: render_approvals(page.items), output)


@app.command()
def approval(approval_id: Approval, output: Output = Format.TEXT) -> None:
    """Show one approval: the exact call, its diff, its reasons, and the way back.

    Example: mendgate approval apr-7c21d90be4a35f18 -o json
    """
    with connect() as client:
        found = client.approval(approval_id)
    from api.cli.terminal.rendering import render_proposal

    show(found, lambda: render_proposal(found), output)


app.command()(decisions.approve)
app.command()(decisions.reject)
app.command()(decisions.edit)
app.command()(decisions.revoke)
app.command()(decisions.resolve)
