"""What a child process may reach: Landlock rules, and the files that it needs."""

__all__: list[str] = []
