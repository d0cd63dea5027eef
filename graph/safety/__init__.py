"""What a proposal must not do: cross environments, touch own objects, disclose secrets, overreach."""

__all__: list[str] = []
