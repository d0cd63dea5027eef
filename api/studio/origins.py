"""Who may talk to the dev server: programs on this machine, and the pages of Studio; no other web page.

`langgraph dev` answers every page that the machine's browser has open: its CORS allows all, and it takes JSON
of any content type. An answer there may decide, so a page from elsewhere, or a tunnel, must not get that far.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_STUDIO = "smith.langchain.com"
_REFUSAL = "pages of this origin may not use mendgate's dev server: run them on this machine, or use Studio"


class KnownOrigins:
    """Lets a page use the server if it came from this machine or is Studio; programs send no origin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] in {"http", "websocket"}:
            origin = Headers(scope=scope).get("origin")
            if origin is not None and not is_known(origin):
                await JSONResponse({"detail": _REFUSAL}, status_code=403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_known(origin: str) -> bool:
    """Whether a page of this origin may use the server."""
    try:
        page = urlsplit(origin)
        host = page.hostname or ""
    except ValueError:
        return False
    if page.scheme == "https" and (host == _STUDIO or host.endswith(f".{_STUDIO}")):
        return True
    return page.scheme in {"http", "https"} and host in _LOOPBACK


# The Host check keeps a page from passing for this machine by a name of its own (DNS rebinding).
LOOPBACK_ONLY = (
    Middleware(TrustedHostMiddleware, allowed_hosts=list(_LOOPBACK), www_redirect=False),
    Middleware(KnownOrigins),
)
