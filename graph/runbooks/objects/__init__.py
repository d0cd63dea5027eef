"""Kubernetes objects as the rules see them."""

__all__: list[str] = []
