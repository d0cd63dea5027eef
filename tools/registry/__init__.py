"""Container registries: image references, and which tags exist."""

__all__: list[str] = []
