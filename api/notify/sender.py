"""The courier: takes messages out of the outbox and brings them to their channels, beside everything else.

Each channel has a task of its own, so that one that hangs keeps no other waiting. A run never waits for any.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from random import SystemRandom

from api.notify.channels import Route
from api.notify.messages import Message, compose, compose_digest
from api.workers.periodic import background_task, repeat
from checkpoints.timeline.outbox import Outbox, OutboxMessage
from tools.errors import MendgateError, NotDelivered

log = logging.getLogger(__name__)
_FIRST_SECONDS, _MOST_SECONDS = 5.0, 900.0
_MOST_OBEYED_SECONDS = 3600.0
_MOST_DOUBLINGS = 10
_random = SystemRandom()


class NotificationSender:
    """Delivers until it is stopped; what a crash leaves undelivered is delivered after the next start."""

    def __init__(
        self,
        outbox: Outbox,
        routes: Mapping[str, Route],
        public_url: str | None = None,
        *,
        every_seconds: float = 2.0,
    ) -> None:
        self._outbox = outbox
        self._routes = routes
        self._public_url = public_url
        self._every_seconds = every_seconds
        self._me = secrets.token_hex(8)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Deliver until the block ends; a message on its way then is sent again after the next start."""
        if not self._routes:
            yield
            return
        await self._outbox.open()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._repeated(self.give_up, "giving up"))
            for name in self._routes:
                work = partial(self.deliver, name)
                await stack.enter_async_context(self._repeated(work, f"delivery to {name}"))
            yield
        try:
            await self._outbox.release(self._me)
        except MendgateError as error:
            log.warning("others can deliver in a minute only: %s", error)

    def _repeated(self, work: Callable[[], Awaitable[None]], name: str) -> AbstractAsyncContextManager[None]:
        return background_task(repeat(work, self._every_seconds, name), name)

    async def deliver(self, name: str) -> None:
        """Send what waits for a channel, until nothing does or it fails."""
        while parcel := await self._outbox.take(name, self._me):
            try:
                await self._routes[name].send(self._compose(parcel))
            except NotDelivered as error:
                await self._put_off(parcel, error)
            else:
                await self._outbox.note_delivered(parcel)

    async def give_up(self) -> None:
        """Give up what no channel took in time, and say so."""
        for lost in await self._outbox.give_up():
            log.error(
                "channel %s was never told of incident %s (%s): %s",
                lost.channel, lost.incident_id, lost.event, lost.fault,
            )  # fmt: skip

    async def _put_off(self, parcel: OutboxMessage, error: NotDelivered) -> None:
        if error.gone:
            log.error("channel %s is closed until the next start: %s", parcel.channel, error)
            await self._outbox.close(parcel.channel)
        pause = choose_pause(parcel.failures, error.retry_after)
        log.warning("channel %s: %s; again in %d s", parcel.channel, error, pause.total_seconds())
        await self._outbox.note_failed(parcel, str(error), pause)

    def _compose(self, parcel: OutboxMessage) -> Message:
        now = datetime.now(UTC)
        if len(parcel.delivery_ids) == 1:
            return compose(parcel.message_id, parcel.notices[0], self._public_url, now)
        count = len(parcel.delivery_ids)
        return compose_digest(parcel.message_id, parcel.notices, count, self._public_url, now)


def choose_pause(failures: int, retry_after: float | None = None) -> timedelta:
    """Return how long a channel that has failed so often before is left alone.

    Twice as long each time, with jitter, from seconds to a quarter of an hour; longer, up to an hour, where
    the receiver asks for it.
    """
    usual = min(_FIRST_SECONDS * 2 ** min(failures, _MOST_DOUBLINGS), _MOST_SECONDS)
    asked = min(retry_after or 0.0, _MOST_OBEYED_SECONDS)
    return timedelta(seconds=max(usual * _random.uniform(0.5, 1.0), asked))
