"""How a person accepts a doubt about the audit log, and what is doubted until then."""

__all__: list[str] = []
