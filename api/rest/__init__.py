"""The REST API: the webhook, incidents, approvals, controls, and the audit log."""

__all__: list[str] = []
