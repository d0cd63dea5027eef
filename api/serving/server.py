"""Serving: the app, the runner and the process's signals under one roof."""

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, cast

from api.config.settings import Settings
from api.http_server.tls import certified, scheme
from api.identity.oidc import open_issuer
from api.identity.sessions import Sessions
from api.identity.tokens import TokenStore
from api.observability.logs import counting_lines
from api.rest.dependencies import AppDependencies
from api.serving.app import create_app
from api.serving.wiring import open_service
from tools.confinement.landlock import close_to_debuggers
from tools.errors import BadInput

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

    from checkpoints.queue.jobs import HeartbeatSettings

GRACEFUL_SECONDS = 5
_POLL_SECONDS = 0.02


async def serve(settings: Settings, heartbeat: "HeartbeatSettings | None" = None) -> None:
    """Serve until SIGINT or SIGTERM; `pulse` is as in `open_service`.

    Raises `BadInput` where the service may not or can't start.
    """
    require_tokens(settings)
    _refuse_dev_mode(settings)
    close_to_debuggers()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings, heartbeat) as url:
        spare_collections()
        webhook = f"{url}/v1/webhooks/alertmanager"
        print(f"mendgate listens on {url} (open it in a browser; webhook: {webhook})", flush=True)  # noqa: T201 -- what a person who started it waits for
        await stop.wait()


@asynccontextmanager
async def serving(settings: Settings, heartbeat: "HeartbeatSettings | None" = None) -> AsyncIterator[str]:
    """Serve while the block runs; yield the base URL once requests are answered."""
    listener = listen(settings)
    try:
        async with (
            certified(settings) as certificate,
            open_issuer(settings) as issuer,
            open_service(settings, heartbeat) as service,
        ):
            tokens = TokenStore(settings.tokens)
            runner = service.runner
            sessions = Sessions.of_file(settings.audit_key)
            dependencies = AppDependencies(
                service.ledger, runner.wake, runner.retry, tokens, service.editor, issuer, sessions,
                public_url=settings.public_url, metrics=service.metrics, open_metrics=settings.metrics_open,
                traces=service.traces,
            )  # fmt: skip
            names = (settings.host, *settings.allowed_hosts)
            # Requests are answered while the runs are put down: what comes in is committed, and waits.
            server = _new_server(dependencies, names, certificate)
            async with counting_lines(service.metrics), _answering(server, listener), service.working():
                try:
                    yield url_of(settings, listener)
                finally:
                    dependencies.closing.set()  # open event streams end now; the server would wait for them
    finally:
        listener.close()


def spare_collections() -> None:
    """Have the garbage collector leave alone what a service that has just started is made of.

    It would look through all of it again at each full collection, and nothing is answered meanwhile.
    """
    gc.collect()
    gc.freeze()


def require_tokens(settings: Settings) -> None:
    """Raise `BadInput` if nobody could talk to the service: no token, and no OIDC issuer."""
    if not TokenStore(settings.tokens).records() and not settings.oidc_issuer:
        raise BadInput(
            f"there are no tokens in {settings.tokens}, so nobody could talk to the service: "
            "make one with `mendgate token create --role approver --name alice`, and one with "
            "`--role ingest --name alertmanager`"
        )


def _refuse_dev_mode(settings: Settings) -> None:
    if settings.dev_mode:
        raise BadInput(
            "MENDGATE_DEV_MODE is for LangGraph Studio alone (docs/studio.md), where answers need no "
            "password: unset it to run the service"
        )


@asynccontextmanager
async def _answering(server: "uvicorn.Server", listener: socket.socket) -> AsyncIterator[None]:
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn offers nothing to await
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        server.should_exit = True
        await task


def _new_server(
    dependencies: AppDependencies, names: Sequence[str], certificate: ssl.SSLContext | None
) -> "uvicorn.Server":
    import uvicorn

    server = uvicorn.Server(answering_with(create_app(dependencies, names), certificate, lifespan="off"))
    # uvicorn would raise the signal again when it stops, before the runner has put its runs down.
    server.capture_signals = _leave_signals_alone  # type: ignore[method-assign]  # uvicorn has no option
    return server


@contextlib.contextmanager
def _leave_signals_alone() -> Iterator[None]:
    yield


def answering_with(
    app: "Starlette", certificate: ssl.SSLContext | None, lifespan: Literal["on", "off"]
) -> "uvicorn.Config":
    """Return how requests are answered: on guarded connections, and by HTTP alone."""
    import uvicorn

    from api.http_server.connections import GuardedProtocol
    from api.http_server.handshakes import shaking_hands

    return uvicorn.Config(
        app,
        # calls it for each connection, whatever it is
        http=cast("type[asyncio.Protocol]", shaking_hands(certificate)) if certificate else GuardedProtocol,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )


def url_of(settings: Settings, listener: socket.socket) -> str:
    """Return where a listener is reached."""
    host, port = listener.getsockname()[:2]
    return f"{scheme(settings)}://{f'[{host}]' if ':' in host else host}:{port}"


def listen(settings: Settings) -> socket.socket:
    """Return a socket on the address of the settings. Raises `BadInput` where it is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # named, or asyncio lets small answers wait (Nagle) for as long as the client delays its acknowledgement
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise BadInput(
            f"can't listen on {settings.host}:{settings.port} ({error.strerror}): "
            "another process may have the port; choose one with MENDGATE_PORT"
        ) from error
    return listener
