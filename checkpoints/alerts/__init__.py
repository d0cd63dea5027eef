"""Which incident an alert belongs to, from the webhook to deduplication and recurrence."""

__all__: list[str] = []
