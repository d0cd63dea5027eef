"""Faces outward: settings, wiring, webhook, REST, command line, the runner, the demo."""

__all__: list[str] = []
