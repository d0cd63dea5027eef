"""Faults of a container: its image, start, configuration, memory, rights."""

__all__: list[str] = []
