"""The ways to reach an MCP server: a child process over stdio, one over HTTP, and one in this process.

A child gets a minimal environment: what it needs must be given to it, so that a server somebody else wrote
never sees this process's keys. Where it is confined, it can't open their files either.
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, TextIO

from tools.confinement.plan import Confinement
from tools.mcp.answer_bounds import AnswerRefused, Intake
from tools.mcp.bounded_http import bound_messages
from tools.off_loop import run_off_loop
from tools.redaction.redactor import REDACTED, redact_text

if TYPE_CHECKING:
    import ssl

    import httpx
    from mcp import ClientSession
    from mcp.server.lowlevel import Server

logger = logging.getLogger(__name__)
SessionOpener = Callable[[], AbstractAsyncContextManager["ClientSession"]]


@dataclass(frozen=True)
class StdioServer:
    """How to start a server that speaks over stdin and stdout.

    The child gets `env` and, from the SDK's list, PATH, HOME, USER and the like; nothing else of ours. TMPDIR
    is a folder of its own: npm's mcp-server-kubernetes keeps the patch that it is about to send in a file
    named after the clock, and in a shared folder others could write to it first. `label` is what logs and
    errors show where arguments are secret; empty means the command with its arguments. What the child repeats
    of `hidden` on stderr is blanked. `confinement` None: it may open whatever this process may.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    label: str = ""
    hidden: tuple[str, ...] = field(default=(), repr=False)
    confinement: Confinement | None = None


@dataclass(frozen=True)
class RemoteServer:
    """Where a server that runs already is reached over HTTP; of its secrets, `label` shows none.

    `auth` signs each request; `verify` is what its certificate is trusted by, True for certifi's list. A
    `direct` one is never asked through a proxy, whatever the environment says.
    """

    url: str
    transport: Literal["streamable_http", "sse"] = "streamable_http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    label: str = "over HTTP"
    auth: "httpx.Auth | None" = field(default=None, repr=False)
    verify: "ssl.SSLContext | Literal[True]" = True
    direct: bool = False

    def open(self, intake: Intake) -> AbstractAsyncContextManager["ClientSession"]:
        """Return a session that isn't initialized yet; no more is read than `intake` allows."""
        from langchain_mcp_adapters.sessions import create_session

        client, headers = partial(self._client, intake), dict(self.headers)
        if self.transport == "sse":
            return create_session(
                {"transport": "sse", "url": self.url, "headers": headers, "httpx_client_factory": client}
            )
        return create_session(
            {
                "transport": "streamable_http",
                "url": self.url,
                "headers": headers,
                "httpx_client_factory": client,
            }
        )

    def _client(
        self,
        intake: Intake,
        headers: dict[str, str] | None = None,
        timeout: "httpx.Timeout | None" = None,
        auth: "httpx.Auth | None" = None,
    ) -> "httpx.AsyncClient":
        import httpx

        return httpx.AsyncClient(
            headers={**(headers or {}), "Accept-Encoding": "identity"},
            timeout=timeout,
            auth=auth or self.auth,
            verify=self.verify,
            trust_env=not self.direct,
            event_hooks={"response": [bound_messages(intake)]},
        )


@asynccontextmanager
async def open_stdio(
    server: StdioServer, output: deque[str], intake: Intake
) -> AsyncIterator["ClientSession"]:
    """Start the server and yield a session that isn't initialized yet; the server ends with the block.

    What it writes to stderr, and to stdout between its messages, is logged, and its last lines are kept in
    `output`. Raises OSError if the command can't be started.
    """
    from mcp import ClientSession

    from tools.mcp.stdio_child import converse, start_child

    words = _Words(output, server.hidden)
    with TemporaryDirectory(prefix="mendgate-", ignore_cleanup_errors=True) as folder:
        command, args = server.command, list(server.args)
        if server.confinement:
            command, args = server.confinement.wrap(command, args, folder)
        async with _collect(words, intake) as errlog:
            env = {"TMPDIR": folder, **server.env}
            child = await start_child([command, *args], env, server.cwd, errlog)
            async with (
                converse(child, intake, words.add) as streams,
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


@dataclass(frozen=True)
class _Words:
    """What a child says besides its messages: it is logged without secrets, and the last lines are kept."""

    last: deque[str]
    hidden: Sequence[str]

    async def add(self, said: bytes) -> None:
        for line in await run_off_loop(self._clean, said):
            logger.info("%s", line)
            self.last.append(line)

    def _clean(self, said: bytes) -> list[str]:
        text = said.decode("utf-8", "replace")
        for secret in self.hidden:
            text = text.replace(secret, REDACTED)
        return redact_text(text).splitlines()


@asynccontextmanager
async def _collect(words: _Words, intake: Intake) -> AsyncIterator[TextIO]:
    """Yield a file for a child's stderr; what is written there is added to `words`."""
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    with os.fdopen(write_end, "w") as errlog, os.fdopen(read_end, "rb") as source:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), source
        )
        follower = asyncio.create_task(_follow(reader, words, intake))
        try:
            yield errlog
        finally:
            errlog.close()
            await asyncio.wait({follower}, timeout=1.0)  # a grandchild may keep the pipe open for ever
            follower.cancel()
            transport.close()


async def _follow(reader: asyncio.StreamReader, words: _Words, intake: Intake) -> None:
    try:
        while chunk := await reader.read(65536):
            intake.take(chunk, chunk.count(b"\n"))
            await words.add(chunk)
    except AnswerRefused as refusal:
        intake.give_up(str(refusal))
