"""How incidents, proposals and timelines look in a terminal.

Times are in UTC, as on the page and in reports: people in several places speak of the same moment then.
What comes from the cluster is printed as plain text: markup and escape sequences in it have no effect.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from api.rest.schemas import ApprovalView
from checkpoints.approvals.freezes import Freeze
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Diagnosis
from graph.domain.incident import ACTIVE, MODEL_SAYS, Entry, Incident
from graph.domain.proposal import count_approvals
from graph.report.timeline_text import say_plan, tell
from tools.kubernetes.diff import FieldChange
from tools.text.plain_text import make_plain

_KIND_COLUMNS = 14
_CUT_COLUMNS = frozenset({"alert", "target", "change", "reason"})
_STYLES = {
    "proposed": "bold yellow", "reminded": "bold yellow", "decided": "bold", "verdict": "bold",
    "error": "bold red", "undelivered": "bold red", "node_entered": "cyan",
}  # fmt: skip
_ENDING_STYLES = {"resolved": "bold green", "failed": "bold red", "unresolved": "bold red"}


def plain(value: object, style: str = "") -> Text:
    """Return a value as text that can do nothing to the terminal."""
    return Text(make_plain(str(value)), style=style)


def render_entry(entry: Entry) -> RenderableType:
    """Return one line of a timeline: when, what, and the facts that matter."""
    line = Table.grid(padding=(0, 1))
    line.add_column(style="dim", width=9)
    line.add_column(width=_KIND_COLUMNS)
    line.add_column(overflow="fold")
    kind = Text(entry.kind.replace("_", " "), style=_style(entry))
    line.add_row(f"{entry.at.astimezone(UTC):%H:%M:%SZ}", kind, plain(tell(entry)))
    return Trimmed(line)


def render_proposal(approval: ApprovalView) -> RenderableType:
    """Return all that a person needs to decide: the exact call, its diff, its reasons, its way back."""
    facts = _facts(
        ("approval", f"{approval.id} ({approval.status})"),
        ("incident", approval.incident_id),
        ("target", approval.target),
        ("risk", approval.risk),
        *(("look at", reason) for reason in approval.risk_reasons),
        ("value from", f"{approval.basis} ({approval.grounding.replace('_', ' ')})"),
        *(("a guess" if trace.is_guess else "traced", trace) for trace in approval.traces),
        ("call", f"{approval.tool} {_json(approval.arguments.as_json())}"),
        ("same as", approval.command),
        ("verified by", say_plan(approval.verification_plan)),
        ("undo", approval.undo_plan.summary),
        *(
            [("approvals", count_approvals(approval.decisions, approval.quorum))]
            if approval.quorum > 1
            else []
        ),
        ("decide by", f"{approval.decide_by.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("digest", approval.digest),
        *((f"{one.verdict} by", f"{one.by} {one.reason}") for one in approval.decisions),
        *([("outcome", approval.outcome)] if approval.outcome else []),
    )
    summary = plain(approval.summary, "bold")
    return Panel(
        Group(summary, Text(), render_diff(approval.diff), Text(), facts),
        title=f"{approval.purpose} proposed",
        border_style="yellow",
        expand=False,
    )


def render_diff(diff: Iterable[FieldChange]) -> Text:
    """Return each changed field with its value before and after."""
    lines = Text()
    for change in diff:
        lines.append_text(plain(f"{change.path}\n", "bold"))
        if not change.added:
            lines.append_text(plain(f"  - {_json(change.before)}\n", "red"))
        if not change.removed:
            lines.append_text(plain(f"  + {_json(change.after)}\n", "green"))
    lines.rstrip()
    return lines


def render_incident(incident: Incident) -> RenderableType:
    """Return one incident with its diagnosis and how it ended."""
    diagnosis = incident.diagnosis
    facts = _facts(
        ("incident", incident.id),
        ("status", incident.status),
        ("alert", f"{incident.alertname} ({incident.severity})"),
        ("target", incident.target or "unknown"),
        (
            "diagnosis",
            _diagnosed(diagnosis) if diagnosis else "none yet" if incident.status in ACTIVE else "none",
        ),
        *(("approval", approval_id) for approval_id in incident.approval_ids),
        *([("verdict", incident.verdict)] if incident.verdict else []),
        *([("reason", incident.reason)] if incident.reason else []),
        *(("to do", advice) for advice in incident.advice),
        ("since", f"{incident.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
    )
    return Trimmed(facts)


def _diagnosed(diagnosis: Diagnosis) -> str:
    """Return the diagnosis in a line; a model's isn't stated as a fact."""
    return f"{MODEL_SAYS}{diagnosis.summary}" if diagnosis.source == "model" else diagnosis.summary


def render_incidents(incidents: Iterable[Incident], *, header: bool = True) -> RenderableType:
    """Return a list of incidents, one line each."""
    return render_table(
        ("id", "status", "since (UTC)", "alert", "target"),
        (
            (
                one.id,
                one.status,
                _since(one.created_at.astimezone(UTC)),
                one.alertname,
                _place(one.target),
            )
            for one in incidents
        ),
        header=header,
    )


def render_approvals(approvals: Iterable[ApprovalView]) -> RenderableType:
    """Return a list of approvals, one line each."""
    return render_table(
        ("id", "status", "risk", "target", "change"),
        ((one.id, one.status, one.risk, _place(one.target), one.summary) for one in approvals),
    )


def render_freezes(freezes: Iterable[Freeze]) -> RenderableType:
    """Return a list of freezes, one line each; times in UTC."""
    return render_table(
        ("id", "from (UTC)", "to (UTC)", "namespaces", "by", "reason"),
        (
            (
                freeze.id,
                f"{freeze.starts_at:%Y-%m-%d %H:%M}",
                f"{freeze.ends_at:%Y-%m-%d %H:%M}",
                " ".join(freeze.namespaces) or "every one",
                freeze.by,
                freeze.reason,
            )
            for freeze in freezes
        ),
    )


def render_tokens(rows: Iterable[tuple[str, str, str]]) -> RenderableType:
    """Return who holds tokens: name, role, since when."""
    return render_table(("name", "role", "created"), rows)


@dataclass(frozen=True)
class Trimmed:
    """A table without the blanks that rich pads its lines with; they hurt in a pipe."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segments in console.render_lines(self.table, options, pad=False):
            line = Text.assemble(*((part.text, part.style or "") for part in segments))
            line.rstrip()
            yield line


def _style(entry: Entry) -> str:
    """Return how a line's kind looks: green only for what went well."""
    match entry.kind:
        case "ended":
            return _ENDING_STYLES.get(entry.data.get("status", ""), "bold yellow")
        case "applied":
            return "bold green" if entry.data.get("outcome") == "applied" else "bold red"
    return _STYLES.get(entry.kind, "dim")


def _since(at: datetime) -> str:
    """Return the time of a moment of today, the date of an earlier one."""
    return f"{at:%H:%M}" if at.date() == datetime.now(at.tzinfo).date() else f"{at:%m-%d}"


def _place(target: Target | None) -> str:
    """Return `namespace/name`, or `Node/name` for what is in no namespace."""
    return f"{target.namespace or target.kind}/{target.name}" if target else ""


def _facts(*facts: tuple[str, object]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, plain(value))
    return table


def render_table(
    columns: Iterable[str], rows: Iterable[Iterable[object]], *, header: bool = True
) -> RenderableType:
    """Return a table of one line per row; where a terminal is too narrow, only the last columns are cut."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_header=header)
    for column in columns:
        table.add_column(column, no_wrap=column not in _CUT_COLUMNS)
    for row in rows:
        table.add_row(*(_one_line(value) for value in row))
    return Trimmed(table)


def _one_line(value: object) -> Text:
    text = plain(" ".join(str(value).split()))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
