"""Objects whose manifest is kept elsewhere, and changes that have to be made there."""

__all__: list[str] = []
