"""Decides: state, nodes, routing, policy, runbooks, verification, report."""

__all__: list[str] = []
