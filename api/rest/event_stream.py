"""Timelines as server-sent events, read from the ledger, so that any process can serve them.

All streams of one incident share each poll of the ledger, so that a hundred of them cost it little more than
one.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from checkpoints.incidents.store import Incidents
from graph.domain.incident import ACTIVE, Entry
from tools.errors import MendgateError

_POLL_EVERY_SECONDS = 0.3
_ASK_EVERY_SECONDS = 5.0


class TooManyStreams(MendgateError):
    """One person, or all people together, follow more timelines than the service allows."""


class _Tail:
    """One incident's timeline as far as it has been read, and the followers waiting for more."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.is_over = False
        self.failure: Exception | None = None
        self.followers = 0
        self.polling: asyncio.Task[None] | None = None
        self.moved = asyncio.Event()

    def behind(self, seq: int) -> list[Entry]:
        """Return the lines behind one. Raises what the last poll failed with."""
        if self.failure:
            raise self.failure
        return self.entries[bisect_right(self.entries, seq, key=lambda entry: entry.seq) :]

    def tell(self) -> None:
        """Wake those who wait for more."""
        self.moved.set()
        self.moved = asyncio.Event()


class Streams:
    """The live timelines that this process serves, limited per person and in total."""

    most_of_one = 30
    most = 500

    def __init__(
        self,
        most_of_one: int = most_of_one,
        most: int = most,
        ask_every_seconds: float = _ASK_EVERY_SECONDS,
    ) -> None:
        self._most_of_one = most_of_one
        self._most = most
        self._ask_every_seconds = ask_every_seconds
        self._open: Counter[str] = Counter()
        self._tails: dict[str, _Tail] = {}

    def take(self, person: str) -> Callable[[], None]:
        """Reserve a place for a stream; return the function that releases it. Raises `TooManyStreams`."""
        if self._open[person] >= self._most_of_one:
            raise TooManyStreams(
                f"{person} already follows {self._most_of_one} timelines: "
                "close one, or read the incident instead"
            )
        if self._open.total() >= self._most:
            raise TooManyStreams(f"the service already serves {self._most} live timelines: try again later")
        self._open[person] += 1

        def give_back() -> None:
            self._open[person] -= 1
            self._open += Counter()  # forget who has none

        return give_back

    async def follow(
        self,
        incidents: Incidents,
        incident_id: str,
        after: int,
        closing: asyncio.Event,
        may_look: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[Entry]:
        """Yield each line behind `after` as it is committed.

        It ends with the incident, once `closing` is set, and once `may_look` returns False, which is checked
        before each line, and every few seconds.
        """
        async with self._tail(incidents, incident_id, closing) as tail:
            while await may_look():
                moved = tail.moved  # before the lines are read, so that none comes unnoticed
                over = tail.is_over or closing.is_set()
                for entry in tail.behind(after):
                    if not await may_look():
                        return
                    yield entry
                    after = entry.seq
                if over:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), self._ask_every_seconds)

    @asynccontextmanager
    async def _tail(
        self, incidents: Incidents, incident_id: str, closing: asyncio.Event
    ) -> AsyncIterator[_Tail]:
        """Share one poll of an incident: the first follower starts it, the last one ends it."""
        tail = self._tails.get(incident_id)
        if tail is None or tail.is_over or tail.failure:
            tail = self._tails[incident_id] = _Tail()
            tail.polling = asyncio.create_task(_poll(tail, incidents, incident_id, closing))
        tail.followers += 1
        try:
            yield tail
        finally:
            tail.followers -= 1
            if tail.followers == 0 and tail.polling:
                tail.polling.cancel()
                if self._tails.get(incident_id) is tail:
                    del self._tails[incident_id]


class LiveTimeline(EventSourceResponse):
    """Lines as server-sent events; releases its place however it ends."""

    def __init__(self, events: AsyncGenerator[ServerSentEvent], give_back: Callable[[], None]) -> None:
        super().__init__(events)
        self._events = events
        self._give_back = give_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()
            with suppress(RuntimeError):  # it is just being closed
                await self._events.aclose()


async def as_events(entries: AsyncGenerator[Entry]) -> AsyncGenerator[ServerSentEvent]:
    """Yield lines as the API sends them."""
    async with aclosing(entries):
        async for entry in entries:
            yield ServerSentEvent(id=str(entry.seq), event=entry.kind, data=entry.model_dump_json())


async def _poll(tail: _Tail, incidents: Incidents, incident_id: str, closing: asyncio.Event) -> None:
    """Read new lines until the incident has ended, `closing` is set, or a poll fails."""
    last = 0
    try:
        while not tail.is_over:
            # The status is read first, so that the lines read afterwards include all before the end.
            status = (await incidents.find(incident_id)).status
            new = await incidents.entries(incident_id, after=last)
            tail.entries += new
            last = new[-1].seq if new else last
            tail.is_over = status not in ACTIVE or closing.is_set()
            if new or tail.is_over:
                tail.tell()
            with suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), _POLL_EVERY_SECONDS)
    except Exception as error:  # noqa: BLE001 -- each who follows raises it
        tail.failure = error
        tail.tell()
