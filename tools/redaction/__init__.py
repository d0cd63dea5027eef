"""The redactor: what leaves the reader has no secrets in it."""

__all__: list[str] = []
