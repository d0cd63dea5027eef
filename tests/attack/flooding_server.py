"""A tool server whose answer to a reader's tool never ends, in whichever stream `STREAM` (1 or 2) names."""

import os

from mcp.server.fastmcp import FastMCP

server = FastMCP("flooding")


@server.tool()
def kubectl_describe(resourceType: str, name: str, namespace: str = "default") -> str:  # noqa: N803 -- the tool's own names
    """Describe one object, at length."""
    while True:
        os.write(int(os.environ["STREAM"]), b'{"jsonrpc": "2.0", "method": "notifications/message"}\n' * 1000)


if __name__ == "__main__":
    server.run()
