"""Decides: the state machine, its diagnosticians, the policy, verification, the report."""

__all__: list[str] = []
