"""The fields that a policy can name: paths, leaves, names of Secrets."""

__all__: list[str] = []
