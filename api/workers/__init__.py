"""What runs in the background: incidents, periodic work, retention, reconciliation."""

__all__: list[str] = []
