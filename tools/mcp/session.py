"""One held session with one MCP server: starting a process per call costs 0.9 s, a held session 2 ms.

A server that died is started anew for the next call. A call that was in flight is sent again only where the
session was made for calls that read: else only the caller knows whether that is safe.
"""

import asyncio
import hashlib
import json
import os
import shlex
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from tools.confinement.plan import Confinement
from tools.errors import ToolServerError, ToolServerLost
from tools.mcp.answer_bounds import Intake
from tools.mcp.connection import ConnectionEndedError, Handshake, ToolConnection
from tools.mcp.results import ToolResult, read_message, refusal
from tools.mcp.transports import RemoteServer, SessionOpener, StdioServer, in_memory, open_stdio

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from langchain_core.tools import BaseTool
    from mcp import ClientSession
    from mcp.types import CallToolResult, Tool

__all__ = [
    "RemoteServer",
    "ServerIdentity",
    "SessionOpener",
    "StdioServer",
    "ToolResult",
    "ToolSession",
    "in_memory",
    "kubernetes_tools",
]

_OPENING_SECONDS = 30.0
_PING_SECONDS = 5.0
_SENDINGS = 3
_REFUSAL_STANDS_SECONDS = 1.0
_PASSED_ON = (
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
)


@dataclass(frozen=True)
class ServerIdentity:
    """A server as it introduced itself, and the SHA-256 (hex) of each tool's input schema."""

    name: str
    version: str
    schema_hashes: Mapping[str, str]


class ToolSession:
    """Calls tools of one server, many at once if need be. Opened by the first call, or by `start`.

    `call_timeout_seconds` is how long a call may take before its server is given up. The calls of a
    `repeatable` session only read: one that was lost is sent again. `pauses_seconds` are waited before the
    attempts to open it.
    """

    def __init__(
        self,
        name: str,
        connection: StdioServer | RemoteServer | SessionOpener,
        *,
        call_timeout_seconds: float = 60.0,
        repeatable: bool = False,
        pauses_seconds: Sequence[float] = (0.0, 0.2, 1.0),
    ) -> None:
        self.name = name
        self._server = connection
        self._call_timeout_seconds = call_timeout_seconds
        self._repeatable = repeatable
        self._pauses_seconds = pauses_seconds
        self._opening = asyncio.Lock()
        self._current: ToolConnection | None = None
        self._connections: set[ToolConnection] = set()
        self._refusal: tuple[float, str] = (0.0, "")
        self._closed = False

    async def start(self) -> None:
        """Open the session now rather than at the first call. Raises ToolServerError."""
        await self._connect()

    async def call(self, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """Call one tool; an error that the tool reports is a result, not an exception.

        Raises ToolServerLost if the server died or fell silent during the call (its outcome is then unknown),
        and ToolServerError if the call wasn't made: no such tool, or the server can't be started.
        """
        from mcp import McpError

        offered = {one.name: one for one in await self.langchain_tools()}
        if tool not in offered:
            raise self._no_tool(tool, offered)
        request = {"type": "tool_call", "id": tool, "name": tool, "args": arguments}
        try:
            return read_message(await offered[tool].ainvoke(request))
        except McpError as error:
            return refusal(error.error.message)
        except (NotImplementedError, ValueError) as error:  # the adapter's, for content unknown to it
            return refusal(f"{tool} answered in a form that can't be read: {error}")

    async def identity(self) -> ServerIdentity:
        """Return who would serve the next call, asking whether the server is still there."""
        connection, welcome = await self._connect()
        try:
            await connection.ping(_PING_SECONDS)
        except ConnectionEndedError:
            _, welcome = await self._connect()
        hashes = {name: _hash(tool.inputSchema) for name, tool in welcome.tools.items()}
        return ServerIdentity(welcome.server.name, welcome.server.version, hashes)

    async def tools(self) -> "Mapping[str, Tool]":
        """Return the server's tools by name, as it announced them. Raises ToolServerError."""
        _, welcome = await self._connect()
        return welcome.tools

    async def langchain_tools(self) -> "list[BaseTool]":
        """Return the tools for a model to bind; calling one goes through this session, restarts included."""
        from langchain_mcp_adapters.tools import convert_mcp_tool_to_langchain_tool

        _, welcome = await self._connect()

        async def route(request: Any, handler: Any) -> "CallToolResult":  # noqa: ARG001 - named by the adapter
            return await self._call(request.name, request.args)

        return [
            convert_mcp_tool_to_langchain_tool(
                welcome.session, tool, tool_interceptors=[route], server_name=self.name
            )
            for tool in welcome.tools.values()
        ]

    async def aclose(self) -> None:
        """Close the session and wait for the server's end; calls in flight are lost."""
        self._closed = True
        for connection in self._connections:
            connection.leave()
        for connection in self._connections:
            await connection.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> "CallToolResult":
        why = ""
        for _ in range(_SENDINGS):
            connection, welcome = await self._connect()
            if tool not in welcome.tools:
                raise self._no_tool(tool, welcome.tools)
            try:
                return await connection.call(tool, arguments, self._call_timeout_seconds)
            except ConnectionEndedError as error:
                if error.handed_over and not self._repeatable:
                    raise ToolServerLost(
                        f"MCP server {self._label} was lost during {tool}: {error}. Whether the call took"
                        " effect is unknown; the next call restarts the server"
                    ) from error
                why = str(error)
        lost = f"was lost {_SENDINGS} times in a row during {tool}: {why}"
        raise ToolServerError(f"MCP server {self._label} {lost}. Look at its log")

    async def _connect(self) -> tuple[ToolConnection, Handshake]:
        async with self._opening:
            self._refuse_if_closed()
            if self._current is None or self._current.ended:
                self._current = await self._open()
            return self._current, await self._current.welcome()

    async def _open(self) -> ToolConnection:
        until, why = self._refusal
        for pause in () if time.monotonic() < until else self._pauses_seconds:
            await asyncio.sleep(pause)
            self._refuse_if_closed()
            output: deque[str] = deque(maxlen=5)
            try:
                return await self._attempt(output)
            except ConnectionEndedError as error:
                said = f"; its last words: {' | '.join(output)[-500:]}" if output else ""
                why = f"{error}{said}"
        self._refusal = (time.monotonic() + _REFUSAL_STANDS_SECONDS, why)
        raise ToolServerError(f"MCP server {self._label} can't be started: {why}. Try it by hand")

    async def _attempt(self, output: deque[str]) -> ToolConnection:
        intake = Intake()
        connection = ToolConnection(self._reach(output, intake), intake, _OPENING_SECONDS)
        self._connections = {known for known in self._connections if not known.closed} | {connection}
        try:
            await connection.welcome()
        except BaseException:
            connection.leave()
            raise
        return connection

    def _reach(self, output: deque[str], intake: Intake) -> "AbstractAsyncContextManager[ClientSession]":
        server = self._server
        if isinstance(server, StdioServer):
            return open_stdio(server, output, intake)
        return server.open(intake) if isinstance(server, RemoteServer) else server()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ToolServerError(f"the session with MCP server {self.name!r} is closed: make a new one")

    def _no_tool(self, tool: str, offered: Iterable[str]) -> ToolServerError:
        names = ", ".join(offered) or "none"
        return ToolServerError(f"MCP server {self.name!r} has no tool {tool!r}; its tools: {names}")

    @property
    def _label(self) -> str:
        server = self._server
        if isinstance(server, StdioServer):
            place = server.label or shlex.join([server.command, *server.args])
        else:
            place = server.label if isinstance(server, RemoteServer) else "in memory"
        return f"{self.name!r} ({place[:300]})"


def kubernetes_tools(
    role: Literal["reader", "writer"],
    kubeconfig: Path | None,
    context: str | None = None,
    *,
    confinement: Confinement | None = None,
    call_timeout_seconds: float = 60.0,
) -> ToolSession:
    """Return a session with our own Kubernetes server in a process of its own.

    `kubeconfig` None means the pod's ServiceAccount, `context` None the file's current one.
    """
    options = ["--role", role]
    options += ["--kubeconfig", str(kubeconfig.absolute())] if kubeconfig else []
    options += ["--context", context] if context else []
    # -P: a folder named `tools` in the working directory must not stand in for ours
    command = ("-P", "-m", "tools.mcp.server", *options)
    server = StdioServer(sys.executable, command, _child_environment(), confinement=confinement)
    return ToolSession(f"kubernetes-{role}", server, call_timeout_seconds=call_timeout_seconds)


def _child_environment() -> dict[str, str]:
    home = Path(__file__).parents[2]
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # an installed wheel is found anyway, and its folder mustn't come before the standard library
    return passed_on if home.name == "site-packages" else passed_on | {"PYTHONPATH": str(home)}


def _hash(schema: dict[str, Any]) -> str:
    canonical = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
