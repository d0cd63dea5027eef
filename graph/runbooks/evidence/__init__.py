"""What has been read so far, as the rules look at it."""

__all__: list[str] = []
