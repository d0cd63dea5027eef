"""TLS handshakes that nobody can keep without finishing them, and no more of them than there is room for.

asyncio gives a handshake a minute, and uvicorn learns of a connection when its handshake is over, so that
its limits don't count what hangs before.
"""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any

from api.http_server.connections import GuardedProtocol


class Handshake(SSLProtocol):
    """TLS before HTTP, with a time limit for the handshake and a limit of those that are under way.

    Beyond the limit the oldest one goes.
    """

    seconds = 10.0
    most = 200

    def __init__(self, http: "_EncryptedProtocol", context: ssl.SSLContext, under_way: "UnderWay") -> None:
        super().__init__(
            asyncio.get_running_loop(), http, context,
            None,  # type: ignore[arg-type]  # nobody waits for it, as asyncio's own servers don't
            server_side=True,
            ssl_handshake_timeout=self.seconds,  # type: ignore[arg-type]  # typeshed allows whole ones alone
        )  # fmt: skip
        http.finish_handshake = lambda: under_way.pop(self, None)
        self._under_way = under_way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._under_way[self] = transport
        while len(self._under_way) > self.most:  # it is counted no more at once, and lost a moment later
            self._under_way.pop(next(iter(self._under_way))).abort()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no more."""
        self._under_way.pop(self, None)
        super().connection_lost(exc)


UnderWay = dict[Handshake, asyncio.Transport]
"""The handshakes of a service, oldest first."""


class _EncryptedProtocol(GuardedProtocol):
    """HTTP behind a handshake."""

    finish_handshake: Callable[[], object]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request: the handshake is over."""
        self.finish_handshake()
        super().connection_made(transport)


def shaking_hands(context: ssl.SSLContext) -> Callable[..., Handshake]:
    """Return what makes a connection's protocol where TLS is spoken, as uvicorn asks for it."""
    under_way: UnderWay = {}

    def make(*args: Any, **kwargs: Any) -> Handshake:
        return Handshake(_EncryptedProtocol(*args, **kwargs), context, under_way)

    return make
