"""Plain text and field paths."""

__all__: list[str] = []
