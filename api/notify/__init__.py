"""Notifications: what they say, where they go, and sending them from the outbox."""

__all__: list[str] = []
