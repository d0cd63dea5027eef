"""Remembers: tables, ledger, migrations, LangGraph's saver."""

__all__: list[str] = []
