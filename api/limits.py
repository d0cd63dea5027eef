"""How large a body may be, and how many deliveries are taken at once: together they bound the memory.

Alertmanager's bodies are a megabyte at worst; anything far beyond is a mistake. It tries again after a 503,
and after nothing else, so that a delivery that must wait too long is answered with that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.errors import AlertmendError

BODY_BYTES = 10 * 1024 * 1024
_TOO_LARGE = 413


class Overloaded(AlertmendError):
    """More deliveries arrive than can be stored in time."""


class Places:
    """Places for deliveries, `at_once` of them. One that gets none within its patience is refused."""

    def __init__(self, at_once: int = 16, patience_seconds: float = 5.0) -> None:
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
    """ASGI middleware that stops reading a body at `BODY_BYTES` and answers 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it sends."""
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES:
                raise HTTPException(
                    _TOO_LARGE,
                    f"the body is larger than {BODY_BYTES} bytes; nothing was stored",
                )
            return message

        await self._app(scope, receive_counted, send)
