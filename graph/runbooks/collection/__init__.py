"""Which objects, events and logs to read next."""

__all__: list[str] = []
