"""HTTP that is bounded, and the client of Alertmanager."""

__all__: list[str] = []
