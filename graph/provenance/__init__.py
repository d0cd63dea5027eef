"""Where each value of a proposal comes from, traced through the evidence."""

__all__: list[str] = []
