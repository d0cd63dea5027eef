"""The two ways to reach an MCP server: a child process over stdio, and one in this process.

A child gets a minimal environment: what it needs must be given to it, so that a server somebody else wrote
never sees this process's keys.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.server.lowlevel import Server

logger = logging.getLogger(__name__)
SessionOpener = Callable[[], AbstractAsyncContextManager["ClientSession"]]


@dataclass(frozen=True)
class StdioServer:
    """How to start a server that speaks over stdin and stdout.

    The child gets `env` and, from the SDK's list, PATH, HOME, USER and the like; nothing else of ours.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@asynccontextmanager
async def open_stdio(server: StdioServer, output: deque[str]) -> AsyncIterator["ClientSession"]:
    """Start the server and yield a session that isn't initialized yet; the server ends with the block.

    What it writes to stderr is logged, and its last lines are kept in `output`. Raises OSError if the command
    can't be started.
    """
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    parameters = StdioServerParameters(
        command=server.command,
        args=list(server.args),
        env=dict(server.env),
        cwd=server.cwd,
        encoding_error_handler="replace",  # a stray byte on stdout is a bad line, not the end
    )
    async with (
        _collect(output) as errlog,
        stdio_client(parameters, errlog=errlog) as streams,
        ClientSession(*streams) as session,
    ):
        yield session


def in_memory(build: "Callable[[], Server[Any, Any]]") -> SessionOpener:
    """Return an opener for a server that runs in this process; `build` is called for each new connection."""

    @asynccontextmanager
    async def open_session() -> AsyncIterator["ClientSession"]:
        import anyio
        from mcp import ClientSession
        from mcp.shared.memory import create_client_server_memory_streams

        server = build()
        async with (
            create_client_server_memory_streams() as (client, (read, write)),
            anyio.create_task_group() as group,
        ):
            group.start_soon(server.run, read, write, server.create_initialization_options())
            try:
                async with ClientSession(*client) as session:
                    yield session
            finally:
                group.cancel_scope.cancel()

    return open_session


@asynccontextmanager
async def _collect(output: deque[str]) -> AsyncIterator[TextIO]:
    """Yield a file for a child's stderr; what is written there is logged and added to `output`."""
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(write_end, "w") as errlog, os.fdopen(read_end, "rb") as source:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), source
        )
        follower = asyncio.create_task(_follow(reader, output))
        try:
            yield errlog
        finally:
            errlog.close()
            await asyncio.wait({follower}, timeout=1.0)  # a grandchild may keep the pipe open for ever
            follower.cancel()
            transport.close()


async def _follow(reader: asyncio.StreamReader, output: deque[str]) -> None:
    while chunk := await reader.read(65536):
        for line in chunk.decode("utf-8", "replace").splitlines():
            logger.info("%s", line)
            output.append(line)
