"""The client of the API server: requests, kinds, patches, differences."""

__all__: list[str] = []
