"""What a change does: its new values, its dangers, its headline."""

__all__: list[str] = []
