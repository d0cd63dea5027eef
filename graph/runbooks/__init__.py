"""The diagnostician that needs no model: evidence in, one step out, the same way every time."""

from graph.runbooks.diagnostician import RunbookDiagnostician

__all__ = ["RunbookDiagnostician"]
