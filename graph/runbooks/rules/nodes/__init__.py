"""Faults of nodes, scheduling and storage."""

__all__: list[str] = []
