"""LangGraph Studio: the same graph under `langgraph dev`, with the same approvals."""

__all__: list[str] = []
