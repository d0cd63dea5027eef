"""Counts requests by route and status. A route is named by its template: paths hold ids."""

from time import monotonic
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http_server.limits import WEBHOOKS

if TYPE_CHECKING:
    from api.observability.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_OUTCOMES = {
    202: "taken", 400: "unknown_host", 401: "not_let_in", 403: "not_let_in", 413: "too_large",
    422: "invalid", 503: "unavailable",
}  # fmt: skip


class Traffic:
    """ASGI middleware that tells the metrics of each answer, when it begins: event streams last for hours."""

    def __init__(self, app: ASGIApp, metrics: "Metrics") -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count what is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = monotonic()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, int(message["status"]), monotonic() - started)
            await send(message)

        await self._app(scope, receive, send_counted)

    def _count(self, scope: Scope, code: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        # none: nothing of ours has this path, or the request was turned away before it was looked for
        route = str(getattr(scope.get("route"), "path", "none"))
        self._metrics.note_request(method, route, code, seconds)
        if scope["path"] in WEBHOOKS and method == "POST":
            self._metrics.note_body(_OUTCOMES.get(code, "failed"))
