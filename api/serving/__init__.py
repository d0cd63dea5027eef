"""The service: its parts wired together, and the server that runs them."""

__all__: list[str] = []
