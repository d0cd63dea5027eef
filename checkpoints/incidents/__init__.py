"""Incidents as rows: their lifecycle, and how long they are kept."""

__all__: list[str] = []
