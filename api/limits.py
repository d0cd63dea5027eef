"""How large a body may be. Alertmanager's are a megabyte at worst; anything far beyond is a mistake."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 10 * 1024 * 1024
_TOO_LARGE = 413


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
