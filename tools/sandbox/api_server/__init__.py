"""The sandbox's API server."""

__all__: list[str] = []
