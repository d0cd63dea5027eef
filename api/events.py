"""Timelines as server-sent events. They come out of the ledger, so that any process can serve them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from sse_starlette import ServerSentEvent

from checkpoints.incidents import Incidents
from graph.incident import ACTIVE, Entry

_LOOK_EVERY_SECONDS = 0.3


async def follow(
    incidents: Incidents, incident_id: str, after: int, closing: asyncio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Yield each line behind `after` as it is committed, until the incident has ended or `closing` is set."""
    async for entry in follow_entries(incidents, incident_id, after, closing):
        yield ServerSentEvent(id=str(entry.seq), event=entry.kind, data=entry.model_dump_json())


async def follow_entries(
    incidents: Incidents, incident_id: str, after: int, closing: asyncio.Event
) -> AsyncIterator[Entry]:
    """Do the same, and yield the lines as they are."""
    while not closing.is_set():
        # The status is read first: whatever came before the end is then among the lines.
        status = (await incidents.find(incident_id)).status
        for entry in await incidents.entries(incident_id, after=after):
            yield entry
            after = entry.seq
        if status not in ACTIVE:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), _LOOK_EVERY_SECONDS)
