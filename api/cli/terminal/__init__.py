"""What the command line prints and asks, and its client of the REST API."""

__all__: list[str] = []
