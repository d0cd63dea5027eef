"""Settings from the environment, and the files that they name."""

__all__: list[str] = []
