"""`mendgate policy`: what the policy is, whether a file is one, and what it says about a call."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict

from api.cli.terminal.choices import GroundingName, RiskName
from api.cli.terminal.output import Format, Output, connect, show, tell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from graph.policy import Explanation, Policy, Ruling
    from tools.kubernetes.patch import PatchArguments

_APPROVAL = "apr-"
app = typer.Typer(
    help="Show, check and explain the policy. Exit codes: 0 usable, or allowed; 1 unusable, or refused.",
    no_args_is_help=True,
)
File = Annotated[
    Path | None,
    typer.Argument(help="Default: MENDGATE_POLICY's, else the built-in policy.", metavar="[FILE]"),
]


class Checked(BaseModel):
    """What came of checking a file: the policy's version, or its faults."""

    model_config = ConfigDict(frozen=True)

    file: str
    version: str | None = None
    faults: tuple[str, ...] = ()


@app.command("show")
def show_policy(file: File = None, output: Output = Format.TEXT) -> None:
    """Print the policy as YAML that one can start from.

    Example: mendgate policy show > policy.yaml
    """
    from graph.policy import spell_policy

    policy = _load(file)
    tell(policy, spell_policy(policy).rstrip("\n"), output)


@app.command()
def check(file: File = None, output: Output = Format.TEXT) -> None:
    """Tell whether a file is a policy; if not, every mistake by its line, and exit 1.

    Example: mendgate policy check policy.yaml
    """
    from graph.policy import PolicyUnusable

    name = str(file or _configured() or "built-in")
    try:
        checked = Checked(file=name, version=_load(file).version)
    except PolicyUnusable as error:
        checked = Checked(file=name, faults=error.faults)
    if output is Format.JSON:
        typer.echo(checked.model_dump_json(indent=2))
    else:
        typer.echo("\n".join(checked.faults) or f"{name}: usable; its version is {checked.version}")
    if checked.faults:
        raise typer.Exit(1)


@app.command()
def explain(  # noqa: PLR0913, PLR0917 -- all that a rule may look at
    call: Annotated[str, typer.Argument(help="A tool's name, or the id of an approval.", metavar="TOOL|ID")],
    arguments: Annotated[str, typer.Argument(help="The tool's arguments, as JSON.", metavar="[JSON]")] = "{}",
    file: Annotated[Path | None, typer.Option(help="Another policy than MENDGATE_POLICY's.")] = None,
    grounding: Annotated[GroundingName, typer.Option(help="Where the new value is from.")] = "evidence",
    risk: Annotated[RiskName, typer.Option(help="The risk before the policy's rules.")] = "low",
    output: Output = Format.TEXT,
) -> None:
    """Say what the policy makes of a call; exit 1 where it is refused.

    With MENDGATE_TOKEN set, the service is asked what would stop a write now.

    Example: mendgate policy explain apr-7c21d90be4a35f18
    """
    explanation = _ask_service(_explain(call, arguments, _load(file), grounding, risk))
    show(explanation, lambda: _render(explanation), output)
    if explanation.effect == "refused":
        raise typer.Exit(1)


def _configured() -> Path | None:
    from api.config.settings import load_settings

    return load_settings().policy


def _load(file: Path | None) -> "Policy":
    from api.config.policy_file import load_policy

    return load_policy(file or _configured())


def _explain(
    call: str, arguments: str, policy: "Policy", grounding: GroundingName, risk: RiskName
) -> "Explanation":
    from graph.policy import EXECUTABLE_TOOL, explain_patch, explain_read

    if call.startswith(_APPROVAL):
        with connect() as client:
            seen = client.approval(call)
        return explain_patch(
            seen.arguments, policy, diff=seen.diff, traces=seen.traces,
            grounding=seen.grounding, risk=seen.risk, purpose=seen.purpose,
        )  # fmt: skip
    given = _parse(arguments)
    if call == EXECUTABLE_TOOL:
        return explain_patch(_validate(given), policy, grounding=grounding, risk=risk)
    return explain_read(call, given, policy)


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the arguments aren't JSON: {error}") from error
    if not isinstance(document, dict):
        raise typer.BadParameter("the arguments must be a JSON object")
    return document


def _validate(arguments: dict[str, Any]) -> "PatchArguments":
    from pydantic import ValidationError

    from tools.kubernetes.patch import PatchArguments

    try:
        return PatchArguments.model_validate(arguments)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter("; ".join(faults)) from error


def _ask_service(found: "Explanation") -> "Explanation":
    """Add what stops every write now, if there is a token to ask the service with."""
    from api.config.settings import load_client_settings

    if found.ruling is None or load_client_settings().token is None:
        return found
    with connect() as client:
        standing = client.policy()
    known = {"stopped_by": standing.stopped_by or found.ruling.stopped_by, "service_asked": True}
    return found.model_copy(update={"ruling": found.ruling.model_copy(update=known)})


def _render(found: "Explanation") -> "RenderableType":
    from rich.table import Table

    from api.cli.terminal.rendering import plain

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    effect = f"{found.effect}: {found.reason}" if found.reason else found.effect
    facts = _facts(found.ruling) if found.ruling else ()
    if found.by_model:
        facts = [("by a model", found.by_model)]
    for name, value in (("policy", found.policy), (found.tool, effect), *facts):
        table.add_row(name, plain(value))
    return table


def _facts(ruling: "Ruling") -> Sequence[tuple[str, str]]:
    raised = f", raised by {', '.join(ruling.raised_by)}" if ruling.raised_by else ""
    who = ", ".join(ruling.approvers) or "whoever has the role approver or admin"
    own = "" if ruling.own_approval else "; not who edited it"
    unasked = "" if ruling.service_asked else " in the policy; the service wasn't asked (set MENDGATE_TOKEN)"
    return [
        ("changes", ", ".join(ruling.fields)),
        ("risk", f"{ruling.risk}{raised}"),
        *(("since it", one) for one in ruling.dangers),
        ("decided by", f"{ruling.quorum} of: {who}{own} (rule {ruling.terms})"),
        ("decide within", f"{ruling.decide_within:g} s"),
        ("execute within", f"{ruling.execute_within:g} s"),
        ("must hold for", f"{ruling.window:g} s or longer"),
        ("approved by itself", f"by rule {ruling.auto_approved_by}" if ruling.auto_approved_by else "no"),
        ("stopped now by", ruling.stopped_by or f"nothing{unasked}"),
        *(("provided that", one) for one in ruling.provided),
    ]
