"""The Alertmanager webhook, and what an alert is about."""

__all__: list[str] = []
