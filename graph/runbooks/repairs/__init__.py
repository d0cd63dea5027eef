"""Values that could repair a fault, and where they come from."""

__all__: list[str] = []
