"""The read-only tools' answers, in the layout of kubectl."""

__all__: list[str] = []
