"""The read-only side's tools: our own MCP server's, and those of servers that somebody else wrote.

Our own is needed: where it fails, the caller hears of it. A foreign one may be missing, lie or fall silent:
what it answers is made fit to be read, and its failures are answers too.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tools.errors import ToolServerError
from tools.mcp.results import ToolResult
from tools.mcp.session import ToolSession
from tools.mcp.untrusted_answers import clean_foreign
from tools.off_loop import run_off_loop

if TYPE_CHECKING:
    from mcp.types import Tool

log = logging.getLogger(__name__)
_START_SECONDS = 40.0
_REST_SECONDS = 60.0
_MOST_CHARACTERS = 2_000_000
_ROLLOUT_STATUS_WAITS = "3s"
_LOG_TOOLS = frozenset({"kubectl_logs", "pods_log"})
OWN_SERVER = "mendgate"
"""Our own server's name among the others; no configured server may have it."""


@dataclass(frozen=True)
class ToolOffer:
    """One tool of one server. `read_only_hint` is the server's word; `trusted` says whether it counts."""

    server: str
    name: str
    description: str
    input_schema: dict[str, Any]
    read_only_hint: bool = False
    trusted: bool = False


@dataclass(frozen=True)
class Source:
    """A configured server to read through. `trusted`: its word for what only reads is taken."""

    session: ToolSession
    trusted: bool = False


@dataclass(frozen=True)
class _Absence:
    """A server that couldn't be started, when to try it again (monotonic seconds), and why it couldn't."""

    until: float
    why: str


class Toolbox:
    """All servers that the diagnosis may read through. Closes their sessions when it is left."""

    def __init__(self, own: ToolSession, others: Mapping[str, Source] | None = None) -> None:
        self._own = own
        self._others = dict(others or {})
        self._absences: dict[str, _Absence] = {}

    async def offers(self) -> Sequence[ToolOffer]:
        """Return every tool, configured servers' first, our own last; a name may come more than once.

        A configured server that can't be reached is left out. Raises ToolServerError if our own can't be.
        """
        found = await asyncio.gather(*(self._offers_of(name) for name in self._others))
        own = await self._own.tools()
        return [*chain(*found), *(_offer(OWN_SERVER, tool, trusted=True) for tool in own.values())]

    async def call(self, server: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """Call one tool. Raises ToolServerError if our own server can't be reached, or `server` isn't one."""
        if server == OWN_SERVER:
            return await self._own.call(tool, arguments)
        if server not in self._others:
            raise ToolServerError(f"there is no MCP server {server!r}: look into the mcpServers file")
        try:
            known = (await self._tools_of(server)).get(tool)
            completed = arguments | _complete(tool, arguments, known)
            result = await self._others[server].session.call(tool, completed)
        except ToolServerError as error:
            return ToolResult(text=str(error), is_error=True)
        if len(result.text) > _MOST_CHARACTERS:
            told = (
                f"{server} answered with {len(result.text)} characters; {_MOST_CHARACTERS} are read at most"
            )
            return ToolResult(f"{told}: ask for less", is_error=True)
        text = await run_off_loop(clean_foreign, result.text, keep_end=tool in _LOG_TOOLS)
        if result.is_unanswered:  # the incident must not wait for what only a foreign server can't reach
            return ToolResult(f"{server} had no answer from the cluster: {text}", is_error=True)
        return ToolResult(text, result.is_error, result.error_code)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sessions = (self._own, *(source.session for source in self._others.values()))
        await asyncio.gather(*(session.aclose() for session in sessions))

    async def _offers_of(self, name: str) -> Sequence[ToolOffer]:
        try:
            tools = await self._tools_of(name)
        except ToolServerError:
            return ()
        return [_offer(name, tool, trusted=self._others[name].trusted) for tool in tools.values()]

    async def _tools_of(self, name: str) -> "Mapping[str, Tool]":
        """Return a configured server's tools. One that can't be started is left alone for a while."""
        absence = self._absences.get(name)
        if absence and time.monotonic() < absence.until:
            raise ToolServerError(absence.why)
        try:
            async with asyncio.timeout(_START_SECONDS):
                tools = await self._others[name].session.tools()
        except (ToolServerError, TimeoutError) as error:
            why = (
                str(error) or f"MCP server {name!r} wasn't ready within {_START_SECONDS:g} s: try it by hand"
            )
            if not absence:
                log.warning("left out for now: %s", why)
            self._absences[name] = _Absence(time.monotonic() + _REST_SECONDS, why)
            raise ToolServerError(why) from error
        self._absences.pop(name, None)
        return tools


def _offer(server: str, tool: "Tool", *, trusted: bool) -> ToolOffer:
    hint = bool(tool.annotations and tool.annotations.readOnlyHint)
    return ToolOffer(server, tool.name, tool.description or "", tool.inputSchema, hint, trusted)


def _complete(tool: str, arguments: Mapping[str, Any], known: "Tool | None") -> dict[str, Any]:
    """Return the arguments that keep a server from standing still.

    npm's mcp-server-kubernetes waits for the end of a rollout, and answers nobody else meanwhile.
    """
    waits = tool == "kubectl_rollout" and arguments.get("subCommand") == "status"
    if waits and known and "timeout" in (known.inputSchema.get("properties") or ()):
        return {"watch": False, "timeout": _ROLLOUT_STATUS_WAITS}
    return {}
