"""Reports: Markdown in English or Chinese, from the ledger's facts; a model may add checked sentences."""

from graph.domain.report_prose import Prose
from graph.report.render import render_report

__all__ = ["Prose", "render_report"]
