"""HTTP connections that nobody can keep without using them, and no more of them than there is room for.

uvicorn closes a connection that is idle after an answer, but waits for ever for the rest of a request's head.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 with a time limit for the head of each request, and a limit of connections.

    Beyond the limit the connection goes that has waited longest for its request's head; if none does, the new
    one goes.
    """

    head_seconds = 10.0
    most_connections = 800

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head_timer: asyncio.TimerHandle | None = None
        """When the head of a request is due at the latest; None while none is waited for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > self.most_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take what came; once a head is complete, its time no longer counts."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self.head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self.head_timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self.head_timer:
            self.head_timer.cancel()
            self.head_timer = None

    def _make_room(self) -> None:
        guarded = (one for one in self.connections if isinstance(one, GuardedProtocol))
        waiting = {one: one.head_timer.when() for one in guarded if one.head_timer}
        min(waiting, key=waiting.__getitem__, default=self).transport.abort()
