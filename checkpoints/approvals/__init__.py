"""Approvals: decisions, claims, write budgets, stops and freezes, withdrawals."""

__all__: list[str] = []
