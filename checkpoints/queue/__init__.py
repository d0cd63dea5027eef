"""The job queue: which incident is due, and who runs it."""

__all__: list[str] = []
