"""The timeline of an incident, and the outbox of what has to be sent."""

__all__: list[str] = []
