"""What a measurement comes to: a table, whether its aim is met, and a chart for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Chart:
    """A bar for each row of a table, named by its first two columns and as long as column `column` says."""

    title: str
    axis: str
    column: int

    def render(self, rows: Sequence[tuple[str, ...]]) -> str:
        """Return it in Mermaid's language, for whatever renders the page to draw."""
        labels = ", ".join(f'"{row[0]}, {row[1]}"' for row in rows)
        top = max(float(row[self.column]) for row in rows) * 1.1
        return "\n".join([
            "```mermaid", '%%{init: {"xyChart": {"width": 900}}}%%', "xychart-beta",
            f'    title "{self.title}"', f"    x-axis [{labels}]",
            f'    y-axis "{self.axis}" 0 --> {top:.1f}',
            f"    bar [{', '.join(row[self.column] for row in rows)}]", "```",
        ])  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One measurement. `met` None: it has no aim."""

    title: str
    about: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    aim: str = ""
    met: bool | None = None
    chart: Chart | None = None

    @property
    def judgement(self) -> str:
        """Return the aim, and whether it is met."""
        if self.met is None:
            return self.aim
        return f"Aim: {self.aim}. {'Met' if self.met else 'Missed'}."

    def show(self, console: Console) -> None:
        """Print it."""
        table = Table(*self.head, title=self.title, caption=self.judgement)
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def render(self) -> str:
        """Return it as Markdown."""
        lines = ["| " + " | ".join(row) + " |" for row in (self.head, ["---"] * len(self.head), *self.rows)]
        chart = self.chart.render(self.rows) if self.chart else ""
        parts = [f"### {self.title}", self.about, "\n".join(lines), self.judgement, chart]
        return "\n\n".join(part for part in parts if part)
