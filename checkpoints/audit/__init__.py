"""The sealed audit log: a hash chain, its keys, and what the database is held against."""

__all__: list[str] = []
