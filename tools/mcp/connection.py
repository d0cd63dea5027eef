"""One life of a connection to an MCP server, opened and closed by the task that owns it.

The SDK's streams live in cancel scopes that must be left by the task that entered them, and a server that
has died shows only as calls that never return. So one task holds the connection, and the callers, in tasks of
their own, wait for their answer or for its end, whichever comes first.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from tools.mcp.answer_bounds import Intake

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult, Implementation, Tool

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class ConnectionEndedError(Exception):
    """The connection ended; never leaves `tools`.

    `handed_over` False: before the server could see the request, so that sending it again is safe.
    """

    def __init__(self, why: str, *, handed_over: bool) -> None:
        self.handed_over = handed_over
        super().__init__(why)


@dataclass(frozen=True)
class Handshake:
    """A session that is ready, and what its server said of itself."""

    session: "ClientSession"
    server: "Implementation"
    tools: "Mapping[str, Tool]"


class ToolConnection:
    """A connection from its opening to its end."""

    def __init__(
        self, session: "AbstractAsyncContextManager[ClientSession]", intake: Intake, opening_seconds: float
    ) -> None:
        self._intake = intake
        self._welcome: asyncio.Future[Handshake] = asyncio.get_running_loop().create_future()
        self._welcome.add_done_callback(lambda future: future.exception())  # a caller may have left by then
        self._leaving = asyncio.Event()
        intake.fault.add_done_callback(lambda _: self.leave())
        self._owner = asyncio.create_task(self._hold(session, opening_seconds))
        # for the callers of a loop that is shut down
        self._owner.add_done_callback(lambda _: self._fail("it was closed"))

    @property
    def closed(self) -> bool:
        """Whether nothing of it is left."""
        return self._owner.done()

    @property
    def ended(self) -> bool:
        """Whether this one is of no more use."""
        return self._leaving.is_set() or self._owner.done()

    async def welcome(self) -> Handshake:
        """Wait until the server is ready, or raise ConnectionEndedError."""
        return await asyncio.shield(self._welcome)

    async def call(self, tool: str, arguments: dict[str, Any], timeout_seconds: float) -> "CallToolResult":
        """Call a tool. Raises ConnectionEndedError, and McpError for an error that the protocol carries.

        What the server says of the form of its answers isn't checked: its patterns could take for ever.
        """
        from mcp.types import CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest

        session = (await self.welcome()).session
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
        answer = session.send_request(ClientRequest(request), CallToolResult)
        return await self._expect(answer, timeout_seconds)

    async def ping(self, timeout_seconds: float) -> None:
        """Make sure that the server is there, or raise ConnectionEndedError."""
        session = (await self.welcome()).session
        await self._expect(session.send_ping(), timeout_seconds)

    def leave(self) -> None:
        """Let the owner close the connection; returns at once."""
        self._leaving.set()

    async def wait_closed(self) -> None:
        """Wait until everything is closed and the server has ended."""
        await asyncio.wait({self._owner})

    async def _expect(self, request: Coroutine[Any, Any, Answer], timeout_seconds: float) -> Answer:
        """Wait for the answer or for the end. A server that is silent for so long is given up as a whole."""
        task = asyncio.create_task(request)
        awaited: set[asyncio.Future[Any]] = {task, self._owner, self._intake.fault}
        try:
            with self._intake.calling():
                await asyncio.wait(awaited, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
            self._raise_fault(task, handed_over=True)
            if task.done():
                return self._read(task)
            ended = self._owner.done()
            self.leave()
            why = "it died" if ended else f"it didn't answer within {timeout_seconds:g} s"
            raise ConnectionEndedError(why, handed_over=True)
        finally:
            task.cancel()

    def _raise_fault(self, task: "asyncio.Task[Any]", *, handed_over: bool) -> None:
        """Raise ConnectionEndedError where the server was given up before its answer had come whole."""
        came = task.done() and not task.exception()
        if self._intake.fault.done() and not came:
            raise ConnectionEndedError(self._intake.fault.result(), handed_over=handed_over)

    def _read(self, task: "asyncio.Task[Answer]") -> Answer:
        import anyio
        from mcp import McpError
        from mcp.types import CONNECTION_CLOSED

        try:
            return task.result()
        except McpError as error:
            if error.error.code != CONNECTION_CLOSED or error.error.message != "Connection closed":
                raise
            self.leave()
            raise ConnectionEndedError("it died", handed_over=True) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            self.leave()
            raise ConnectionEndedError("it had died before", handed_over=False) from error
        except (RuntimeError, ValueError) as error:  # the SDK's words for an answer that breaks the protocol
            raise ConnectionEndedError(
                f"its answer can't be read: {_first_of(error)}", handed_over=True
            ) from error

    async def _hold(
        self, opening: "AbstractAsyncContextManager[ClientSession]", opening_seconds: float
    ) -> None:
        try:
            async with opening as session:
                self._welcome.set_result(await self._initialize(session, opening_seconds))
                await self._leaving.wait()
        # whatever somebody else's server breaks must reach the callers, who wait for it in other tasks
        except Exception as error:  # noqa: BLE001
            why = _first_of(error)
            logger.info("an MCP server's connection ended: %s", why)
            self._fail(why)

    async def _initialize(self, session: "ClientSession", opening_seconds: float) -> Handshake:
        """Greet the server, unless somebody wants to leave first: cancelling the owner would leak streams."""
        greeting, leaving = (
            asyncio.create_task(_initialize(session)),
            asyncio.create_task(self._leaving.wait()),
        )
        try:
            await asyncio.wait(
                {greeting, leaving}, timeout=opening_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            self._raise_fault(greeting, handed_over=False)
            if greeting.done():
                return greeting.result()
            why = "it was closed" if leaving.done() else f"it was silent for {opening_seconds:g} s"
            raise ConnectionEndedError(why, handed_over=False)
        finally:
            greeting.cancel()
            leaving.cancel()

    def _fail(self, why: str) -> None:
        if not self._welcome.done():
            self._welcome.set_exception(ConnectionEndedError(why, handed_over=False))


def _first_of(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ValidationError):  # its own words repeat the answer, and all that is wrong with it
        return f"it doesn't fit {error.title}, in {error.error_count()} ways"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:  # the client's own words repeat the URL, which may hold a secret
        return f"it answers with HTTP status {status}"
    return str(error) or type(error).__name__


async def _initialize(session: "ClientSession") -> Handshake:
    from mcp.types import PaginatedRequestParams, Tool

    about = await session.initialize()
    tools: dict[str, Tool] = {}
    cursor: str | None = None
    while True:
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        tools |= {tool.name: tool for tool in page.tools}
        cursor = page.nextCursor
        if not cursor:
            return Handshake(session, about.serverInfo, tools)
