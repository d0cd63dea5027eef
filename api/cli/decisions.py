"""`mendgate approve`, `reject`, `edit`, `revoke` and `resolve`: what people say about a proposal."""

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.terminal.choices import FindingName
from api.cli.terminal.client import Client, Refused
from api.cli.terminal.completion import complete_approved, complete_pending, complete_unknown
from api.cli.terminal.output import Format, Output, connect, print_rendered, tell

if TYPE_CHECKING:
    from api.rest.schemas import ApprovalView

_HELP = "An approval's id, as apr-7c21d90be4a35f18."
Pending = Annotated[str, typer.Argument(help=_HELP, metavar="ID", autocompletion=complete_pending)]
Approved = Annotated[str, typer.Argument(help=_HELP, metavar="ID", autocompletion=complete_approved)]
Unknown = Annotated[str, typer.Argument(help=_HELP, metavar="ID", autocompletion=complete_unknown)]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the decision.")]


def approve(
    approval_id: Pending,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    output: Output = Format.TEXT,
) -> None:
    """Show a proposal, ask, and let exactly that change happen.

    Example: mendgate approve apr-7c21d90be4a35f18 --reason "the tag has a typo"
    """
    from api.cli.terminal.rendering import render_proposal

    with connect() as client:
        seen = client.approval(approval_id)
        # for a person, whatever the form of the answer
        print_rendered(render_proposal(seen), err=output is Format.JSON)
        ask = not yes and seen.status == "pending"
        if ask:
            _require_no_stop(client, seen)
        if ask and not typer.confirm("Let exactly this change happen?", err=output is Format.JSON):
            typer.echo("Nothing was decided.", err=True)
            raise typer.Exit(1)
        _tell(client.approve(approval_id, digest=seen.digest, reason=reason), output)


def _require_no_stop(client: Client, seen: "ApprovalView") -> None:
    """Refuse before the question what the service would refuse after it."""
    if stop := client.policy(seen.target.namespace).approving_stopped_by:
        raise Refused(
            f"nothing was asked or decided: {stop}. Approving works again once that has ended; rejecting is "
            f"still possible: mendgate reject {seen.id} --reason …",
            HTTPStatus.LOCKED,
        )


def reject(
    approval_id: Pending,
    reason: Annotated[str, typer.Option(help="Why; the diagnosis gets this reason.")],
    output: Output = Format.TEXT,
) -> None:
    """Keep a proposed change from happening.

    Example: mendgate reject apr-7c21d90be4a35f18 --reason "we are rolling back instead"
    """
    with connect() as client:
        _tell(client.reject(approval_id, reason=reason), output)


def edit(
    approval_id: Pending,
    patch: Annotated[
        str | None,
        typer.Option(help="The new patch, as JSON. Without it, your editor opens.", metavar="JSON"),
    ] = None,
    reason: Reason = "",
    output: Output = Format.TEXT,
) -> None:
    """Put a proposal with another patch in this one's place; it waits for its own approval.

    Without --patch, $VISUAL or $EDITOR opens with the present one; unchanged, nothing is sent.

    Example: mendgate edit apr-7c21d90be4a35f18 --reason "1.26 is out"
    """
    with connect() as client:
        seen = client.approval(approval_id)
        if patch is not None:
            edited = _send(client, seen, parse_patch(patch), reason)
        else:
            edited = _edit_and_send(client, seen, reason)
    if output is Format.TEXT:
        from api.cli.terminal.rendering import render_proposal

        print_rendered(render_proposal(edited))
    hint = f"let it happen with `mendgate approve {edited.id}`"
    tell(edited, f"{approval_id} is superseded by {edited.id}; {hint}", output)


def revoke(
    approval_id: Approved,
    reason: Annotated[str, typer.Option(help="Why.")],
    output: Output = Format.TEXT,
) -> None:
    """Take an approval back before it is executed.

    Example: mendgate revoke apr-7c21d90be4a35f18 --reason "not during the sale"
    """
    with connect() as client:
        _tell(client.revoke(approval_id, reason=reason), output)


def resolve(
    approval_id: Unknown,
    outcome: Annotated[FindingName, typer.Option(help="What the object shows: was the patch applied?")],
    reason: Annotated[str, typer.Option(help="How you know.")],
    output: Output = Format.TEXT,
) -> None:
    """Settle an execution whose end is unknown, after you have looked at the object.

    Example: mendgate resolve apr-7c21d90be4a35f18 --outcome applied --reason "its annotation is there"
    """
    with connect() as client:
        _tell(client.resolve(approval_id, outcome=outcome, reason=reason), output)


def parse_patch(text: str) -> object:
    """Return the JSON document that was typed, or raise a usage error."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the patch isn't valid JSON: {error}") from error


def _edit_and_send(client: Client, seen: "ApprovalView", reason: str) -> "ApprovalView":
    """Send the edited patch; one that the service refuses is opened again with the reason."""
    from api.cli.terminal.patch_editor import NothingEdited, edit_patch
    from tools.text.plain_text import make_plain

    about = make_plain(
        f"The {seen.arguments.patch_type} patch of {seen.id}, for {seen.target}: {seen.summary}"
    )
    patch: Any = seen.arguments.change
    fault = ""
    while True:
        try:
            patch = edit_patch(patch, about, fault)
        except NothingEdited:
            typer.echo("Nothing was sent: the patch is as it was.", err=True)
            raise typer.Exit(1 if fault else 0) from None
        try:
            return _send(client, seen, patch, reason)
        except Refused as refusal:
            if refusal.status != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            fault = make_plain(str(refusal))


def _send(client: Client, seen: "ApprovalView", patch: object, reason: str) -> "ApprovalView":
    arguments = {**seen.arguments.as_json(), "patchData": patch}
    return client.edit(seen.id, arguments=arguments, digest=seen.digest, reason=reason)


def _tell(approval: "ApprovalView", output: Format) -> None:
    from graph.domain.proposal import count_approvals

    quorum = approval.quorum > 1 and approval.status == "pending"
    missing = f". {count_approvals(approval.decisions, approval.quorum)} Follow" if quorum else "; follow"
    hint = f"{missing} it with `mendgate watch {approval.incident_id}`"
    tell(approval, f"{approval.id} is {approval.status}{hint}", output)
