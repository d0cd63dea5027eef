"""LangGraph's checkpoint savers, fenced by the epoch of a run."""

__all__: list[str] = []
