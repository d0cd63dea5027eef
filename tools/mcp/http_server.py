"""Our reading tools served over HTTP to callers with a shared secret, and the client for them.

Each request is independent: a restarted server goes on with the next one. Only the reader's tools
are served so, which change nothing.
"""

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tools.errors import BadInput
from tools.kubernetes.client import Cluster
from tools.mcp.server import build_server
from tools.mcp.session import ToolSession
from tools.mcp.transports import RemoteServer

if TYPE_CHECKING:
    import ssl

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)
PLACE = "/mcp"
_SHORTEST_SECRET = 32
# a pod that is replaced takes its time; a run waits for four such whiles
_PAUSES_SECONDS = (0.0, 0.2, 1.0, 2.0, 4.0, 8.0)


def read_secret(path: Path) -> str:
    """Return the shared secret of a file. Raises BadInput for one that can't be read or is too short."""
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read ({error}): check MENDGATE_READER_TOKEN_FILE") from error
    if len(secret) < _SHORTEST_SECRET or not secret.isprintable():
        raise BadInput(
            f"{path} must hold one line of at least {_SHORTEST_SECRET} characters: make it with "
            "`openssl rand -hex 32`"
        )
    return secret


def build_app(cluster: Cluster, secret_file: Path) -> "Starlette":
    """Return the application: tools at `/mcp`, and `/healthz` for probes. It doesn't close the cluster."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    manager = StreamableHTTPSessionManager(
        build_server(cluster, "reader"), json_response=True, stateless=True
    )

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    async def healthy(_: "Request") -> PlainTextResponse:
        return PlainTextResponse("ok")

    guarded = _Guard(manager.handle_request, secret_file)
    return Starlette(
        routes=[Route(PLACE, guarded, methods=["POST"]), Route("/healthz", healthy)], lifespan=running
    )


class _Guard:
    """Lets through what carries the secret. It is read each time: without it nobody gets in."""

    def __init__(self, app: "ASGIApp", secret_file: Path) -> None:
        self._app = app
        self._secret_file = secret_file

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        scheme, _, given = Request(scope).headers.get("authorization", "").partition(" ")
        try:
            known = read_secret(self._secret_file)
        except BadInput as error:
            log.error("nobody is let in: %s", error)  # noqa: TRY400 -- the message has it all
            await PlainTextResponse("the reader's secret can't be read", 503)(scope, receive, send)
            return
        if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), _digest(known)):
            await self._app(scope, receive, send)
            return
        answer = PlainTextResponse("no or wrong bearer token", 401, {"WWW-Authenticate": "Bearer"})
        await answer(scope, receive, send)


def reader_over_http(url: str, secret_file: Path, authority: Path | None) -> ToolSession:
    """Return a session with our reader elsewhere; `authority` None means the system's certificates.

    Calls are sent again after a loss: they only read. Raises BadInput for a file that can't be used.
    """
    read_secret(secret_file)
    shared = _SharedSecret(secret_file)  # which no proxy is to see
    server = RemoteServer(url, label=url, auth=shared, verify=_trust(authority), direct=True)
    return ToolSession("kubernetes-reader", server, repeatable=True, pauses_seconds=_PAUSES_SECONDS)


class _SharedSecret(httpx.Auth):
    """Sends the secret as it is in the file now."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        try:
            request.headers["Authorization"] = f"Bearer {read_secret(self._path)}"
        except BadInput as error:
            raise httpx.RequestError(str(error), request=request) from error
        yield request


def _trust(authority: Path | None) -> "ssl.SSLContext":
    import ssl

    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(f"{authority} can't be used ({error}): check MENDGATE_READER_CA") from error


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
