"""Remembers: alerts, incidents, approvals, the audit log, and LangGraph's checkpoints."""

__all__: list[str] = []
