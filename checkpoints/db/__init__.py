"""The database: engines, tables, locks, pagination, errors."""

__all__: list[str] = []
