"""How large a body may be, and how many deliveries are taken at once: together they bound the memory.

Alertmanager's bodies are a megabyte at worst; anything far beyond is a mistake. It tries again after a 503,
and after nothing else, so that a delivery that must wait too long is answered with that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.errors import MendgateError

BODY_BYTES = 10 * 1024 * 1024
OTHER_BODY_BYTES = 1024 * 1024
"""Of anything but a delivery: a patch of 50,000 characters is the most that anybody may send."""
DELIVERIES_AT_ONCE = 16
WEBHOOKS = frozenset({"/v1/webhooks/alertmanager", "/alert"})
_TOO_SLOW = 408
_TOO_LARGE = 413


class Overloaded(MendgateError):
    """More deliveries arrive than can be stored in time."""


class ConcurrencyLimit:
    """At most `at_once` deliveries at a time. One that gets no place within its patience is refused."""

    def __init__(self, at_once: int = DELIVERIES_AT_ONCE, patience_seconds: float = 5.0) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold a place while the block runs. Raises `Overloaded`."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise Overloaded("too many deliveries at once: nothing was stored; try again") from error
        try:
            yield
        finally:
            self._free.release()


class BodyLimit:
    """ASGI middleware that stops reading a body that is too large, with 413, or takes too long, with 408."""

    body_seconds = 90.0

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it sends."""
        received, is_complete = 0, False
        most = BODY_BYTES if scope.get("path") in WEBHOOKS else OTHER_BODY_BYTES
        until = asyncio.get_running_loop().time() + self.body_seconds

        async def receive_counted() -> Message:
            nonlocal received, is_complete
            if is_complete:  # what comes now is the end of the connection, which may be hours away
                return await receive()
            message = await _receive_until(until, receive)
            is_complete = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(_TOO_LARGE, f"the body is larger than {most} bytes; nothing was stored")
            return message

        await self._app(scope, receive_counted, send)


async def _receive_until(moment: float, receive: Receive) -> Message:
    """Return the next part of a body. Raises 408 where it doesn't come by this time of the loop."""
    try:
        async with asyncio.timeout_at(moment):
            return await receive()
    except TimeoutError as error:
        raise HTTPException(_TOO_SLOW, "the body took too long to arrive; nothing was stored") from error
