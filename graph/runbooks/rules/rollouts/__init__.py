"""Faults of a rollout, of scaling, and of making pods."""

__all__: list[str] = []
