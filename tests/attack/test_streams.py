"""Live timelines: they end with the token, are limited per person and in all, and share their looks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest

from api.rest.event_stream import Streams
from checkpoints.incidents.store import Incidents
from graph.domain.incident import Entry
from tests.integration.cluster.clusters import await_condition
from tests.integration.rest.rest_service import RestService
from tests.integration.rest.test_rest_incidents import end

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def always() -> bool:
    return True


def install(rest_service: RestService, streams: Streams) -> None:
    """Have the house's routes serve by other bounds."""
    object.__setattr__(rest_service.dependencies, "streams", streams)


async def tell(rest_service: RestService, incident_id: str, *reasons: str) -> None:
    """Let a run of the incident write lines into its timeline."""
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    for reason in reasons:
        await rest_service.ledger.incidents.record(incident_id, epoch, "error", {"reason": reason})


def follow(rest_service: RestService, incident_id: str, who: str) -> "asyncio.Task[httpx.Response]":
    path = f"/v1/incidents/{incident_id}/events"
    return asyncio.create_task(rest_service.client.get(path, headers=rest_service.as_(who)))


@asynccontextmanager
async def following(
    rest_service: RestService, incident_id: str, *, count: int, who: str
) -> AsyncIterator[list[Any]]:
    """Keep streams open while the block runs; yields them once each has its place."""
    tasks = [follow(rest_service, incident_id, who) for _ in range(count)]

    async def probe() -> bool | None:
        return rest_service.dependencies.streams._open[who] >= count or None

    await await_condition(probe, "the streams to be open")
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_revoked_token_ends_its_stream_and_what_comes_then_isnt_told(
    rest_service: RestService,
) -> None:
    install(rest_service, Streams(ask_every_seconds=0.05))
    incident_id = await rest_service.open_incident()
    async with following(rest_service, incident_id, count=1, who="viewer") as (stream,):
        await tell(rest_service, incident_id, "before")
        rest_service.store.revoke("viewer")

        answer = await asyncio.wait_for(stream, 60)

    await tell(rest_service, incident_id, "after")
    assert answer.status_code == 200
    assert "after" not in answer.text


async def test_no_line_is_told_once_the_token_is_revoked_however_seldom_it_is_asked_about(
    rest_service: RestService,
) -> None:
    install(rest_service, Streams(ask_every_seconds=3600))
    incident_id = await rest_service.open_incident()
    async with following(rest_service, incident_id, count=1, who="viewer") as (stream,):
        rest_service.store.revoke("viewer")
        await tell(rest_service, incident_id, "after")

        answer = await asyncio.wait_for(stream, 60)

    assert "after" not in answer.text


async def test_a_person_follows_so_many_timelines_and_no_more(rest_service: RestService) -> None:
    install(rest_service, Streams(most_of_one=3))
    incident_id = await rest_service.open_incident()
    async with following(rest_service, incident_id, count=3, who="viewer"):
        refused = await rest_service.client.get(
            f"/v1/incidents/{incident_id}/events", headers=rest_service.as_("viewer")
        )
        async with following(rest_service, incident_id, count=1, who="alice"):
            pass

    async with following(rest_service, incident_id, count=3, who="viewer"):
        pass  # the places were given back

    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"]
    assert refused.json()["type"] == "urn:mendgate:problem:too-many-streams"
    assert "viewer already follows 3 timelines" in refused.json()["detail"]


async def test_all_of_them_follow_so_many_timelines_and_no_more(rest_service: RestService) -> None:
    install(rest_service, Streams(most=2))
    incident_id = await rest_service.open_incident()
    async with (
        following(rest_service, incident_id, count=1, who="viewer"),
        following(rest_service, incident_id, count=1, who="alice"),
    ):
        refused = await rest_service.client.get(
            f"/v1/incidents/{incident_id}/events", headers=rest_service.as_("bob")
        )

    assert refused.status_code == 429


async def test_an_unknown_incident_takes_no_place(rest_service: RestService) -> None:
    install(rest_service, Streams(most_of_one=1))
    for _ in range(3):
        answer = await rest_service.client.get(
            "/v1/incidents/inc-none/events", headers=rest_service.as_("viewer")
        )
        assert answer.status_code == 404


class Counting(Incidents):
    """A ledger that counts how often timelines are read."""

    def __init__(self, incidents: Incidents) -> None:
        super().__init__(incidents._transaction, incidents._pace)
        self.looks = 0

    async def entries(self, incident_id: str, *, after: int = 0) -> Sequence[Entry]:
        self.looks += 1
        return await super().entries(incident_id, after=after)


async def test_a_hundred_streams_of_an_incident_look_at_the_ledger_as_often_as_one(
    rest_service: RestService,
) -> None:
    incident_id = await rest_service.open_incident()
    await end_after(rest_service, incident_id, "one", "two")
    counting, streams, closing = Counting(rest_service.ledger.incidents), Streams(), asyncio.Event()

    async def read(after: int) -> list[str]:
        lines = streams.follow(counting, incident_id, after, closing, always)
        async with aclosing(lines):
            return [entry.kind async for entry in lines]

    told = await asyncio.gather(*(read(number % 2) for number in range(100)))

    assert told[0] == ["alert_received", "error", "error", "ended"]
    assert told[1] == told[0][1:]
    assert [len(one) for one in told] == [4, 3] * 50
    assert counting.looks == 1
    assert not streams._tails


async def test_who_comes_later_gets_every_line_and_each_once(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    streams, closing = Streams(), asyncio.Event()

    async def read() -> list[int]:
        lines = streams.follow(rest_service.ledger.incidents, incident_id, 0, closing, always)
        async with aclosing(lines):
            return [entry.seq async for entry in lines]

    readers = []
    for number in range(5):
        readers.append(asyncio.create_task(read()))
        await tell(rest_service, incident_id, f"line {number}")
    await end(rest_service, incident_id)

    assert await asyncio.gather(*readers) == [[1, 2, 3, 4, 5, 6, 7]] * 5


async def end_after(rest_service: RestService, incident_id: str, *reasons: str) -> None:
    await tell(rest_service, incident_id, *reasons)
    await end(rest_service, incident_id)


async def test_the_pages_own_streams_count_too(rest_service: RestService) -> None:
    install(rest_service, Streams(most_of_one=1))
    incident_id = await rest_service.open_incident()
    page = await rest_service.client.get("/login")
    csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    await rest_service.client.post("/login", data={"csrf": csrf, "token": rest_service.tokens["viewer"]})
    async with following(rest_service, incident_id, count=1, who="viewer"):
        refused = await rest_service.client.get(f"/incidents/{incident_id}/lines")

    assert refused.status_code == 429
