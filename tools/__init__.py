"""Acts: Kubernetes, MCP servers and sessions, the executor, the sandbox cluster."""

__all__: list[str] = []
