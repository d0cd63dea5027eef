"""Patches as the API server applies them."""

__all__: list[str] = []
