"""What a measurement comes to: a table, whether its aim is met, and a chart for the page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Chart:
    """A line or bars, drawn by whatever renders the page."""

    title: str
    axis: str
    labels: tuple[str, ...]
    lines: tuple[tuple[float, ...], ...]

    def render(self) -> str:
        """Return it in Mermaid's language."""
        top = max(max(line) for line in self.lines) * 1.1
        drawn = [f"    bar [{', '.join(f'{value:.3g}' for value in line)}]" for line in self.lines]
        labels = ", ".join(f'"{label}"' for label in self.labels)
        head = ["```mermaid", "xychart-beta", f'    title "{self.title}"', f"    x-axis [{labels}]"]
        return "\n".join([*head, f'    y-axis "{self.axis}" 0 --> {top:.3g}', *drawn, "```"])


@dataclass(frozen=True)
class Section:
    """One measurement. `met` None: it has no aim."""

    title: str
    about: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    aim: str = ""
    met: bool | None = None
    charts: tuple[Chart, ...] = field(default=())

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
        parts = [f"### {self.title}", self.about, "\n".join(lines), self.judgement]
        return "\n\n".join(part for part in (*parts, *(chart.render() for chart in self.charts)) if part)
