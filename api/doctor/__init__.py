"""`mendgate doctor`: one check per module, each with what is wrong and how to fix it."""

__all__: list[str] = []
