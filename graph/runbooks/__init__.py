"""The mind that needs no model: evidence in, one step out, the same way every time."""

from graph.runbooks.mind import RunbookMind

__all__ = ["RunbookMind"]
