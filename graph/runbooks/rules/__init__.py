"""The runbooks: each knows one fault."""

__all__: list[str] = []
