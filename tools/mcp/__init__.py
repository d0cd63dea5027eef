"""MCP: our servers, sessions with any server, and the toolbox made of them."""

__all__: list[str] = []
