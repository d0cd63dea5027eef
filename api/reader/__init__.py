"""The read-only tools as a confined child process, or as a server of their own."""

__all__: list[str] = []
