"""A fault that no rule knows, handed to a person with the evidence that decides first."""

__all__: list[str] = []
