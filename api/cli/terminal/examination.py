"""The result of `mendgate doctor` in a terminal: one line per check, with how to fix what is wrong."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from api.cli.terminal.rendering import Trimmed, plain
from api.doctor.check import Check, Examination, Status

_MARKS: dict[Status, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "bold yellow"),
    "failed": ("✗", "bold red"),
    "skipped": ("-", "dim"),
}


def render_examination(examination: Examination) -> RenderableType:
    """Return the table and its sum."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in examination.checks:
        mark, style = _MARKS[check.status]
        table.add_row(Text(mark, style=style), plain(check.name, style), _tell(check))
    return Group(Trimmed(table), Text(), _sum(examination))


def _tell(check: Check) -> Text:
    found = plain(check.found)
    return found if not check.fix else Text.assemble(found, "\n", plain(f"→ {check.fix}", "bold"))


def _sum(examination: Examination) -> Text:
    broken, warned = examination.count("failed"), examination.count("warning")
    if broken:
        return Text(f"{_count(broken, 'error')}, {_count(warned, 'warning')}", style="bold red")
    return Text(f"ready, with {_count(warned, 'warning')}" if warned else "ready", style="bold green")


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else f'{what}s'}"
