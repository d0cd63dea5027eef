"""Metrics, traces and logs of the service itself."""

__all__: list[str] = []
