"""Faces outward: the webhook, REST, the page, the command line, notifications, and the wiring."""

__all__: list[str] = []
