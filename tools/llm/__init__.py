"""The client of an OpenAI-compatible endpoint."""

__all__: list[str] = []
