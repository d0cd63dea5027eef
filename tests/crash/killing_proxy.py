"""What stands before the API server in these tests: it kills the service that sends a patch."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.crash.boundaries import AtServer

Deed = Callable[[], Awaitable[None]]


@dataclass
class KillingProxy:
    """Lets everything through but the first real patch, if that is the `place` of a kill.

    `strike` ends the service; the answer that follows reaches nobody.
    """

    place: AtServer | None = None
    strike: Deed | None = None
    _late: list[Deed] = field(default_factory=list)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application with the gatehouse before it."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] == "PATCH":
                request = Request(scope, receive)
                if "dryRun" not in request.query_params:
                    await self._meet(app, scope, await request.body(), send)
                    return
            await app(scope, receive, send)

        return guarded

    async def _meet(self, app: ASGIApp, scope: Scope, body: bytes, send: Send) -> None:
        while self._late:
            await self._late.pop()()
        place, self.place = self.place, None
        if place is None:
            await app(scope, _replay(body), send)
            return
        if place.moment == "taken":
            await app(scope, _replay(body), _lose)
        elif place.moment == "late":
            self._late.append(lambda: app(scope, _replay(body), _lose))
        assert self.strike
        await self.strike()
        await JSONResponse({"kind": "Status", "code": 503}, status_code=503)(scope, _replay(body), send)


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _lose(_answer: Any) -> None:
    """Let an answer reach nobody."""
