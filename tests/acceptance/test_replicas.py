"""Several replicas on one Postgres: one run per incident at a time, and whoever dies is replaced."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import aconnect_sse
from sqlalchemy import text
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from tests.acceptance.replica_parts import RUNS, only_answer, think_slowly, think_very_slowly, watch_runs
from tests.acceptance.replicas import Replicas, replicated
from tests.acceptance.workloads import body_for, real_body
from tests.databases import query
from tests.integration.cluster.clusters import await_condition
from tests.integration.cluster.executions import Tamper, Trick
from tools.sandbox import SCENARIOS, SandboxCluster

INCIDENTS = 8
OVERLAPS = text("""
    SELECT one.incident_id, one.pid, other.pid FROM runs one JOIN runs other
    ON one.incident_id = other.incident_id AND one.ctid < other.ctid
    WHERE one.ended IS NOT NULL AND other.ended IS NOT NULL
    AND one.began < other.ended AND other.began < one.ended
""")


@pytest.fixture
def url(url: str) -> str:
    """Return a database that remembers who ran what."""
    asyncio.run(query(url, text(RUNS)))
    return url


@pytest.fixture
async def sandbox(before: list[Trick]) -> AsyncIterator[SandboxCluster]:
    async with SandboxCluster(middleware=[Middleware(Tamper, before=before, after=[])]) as cluster:
        await cluster.break_as(SCENARIOS["image-pull"])
        yield cluster


@pytest.fixture
async def replicas(sandbox: SandboxCluster, tmp_path: Path, url: str) -> AsyncIterator[Replicas]:
    """Return replicas that watch the sandbox; none is started yet."""
    reader, writer = sandbox.write_kubeconfigs(tmp_path)
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: quick\nverification: {window: 6s, budget: 60s}\n")
    async with replicated(
        tmp_path, watch_runs, kubeconfig=reader, write_kubeconfig=writer, database_url=url, policy=policy
    ) as replicas:
        yield replicas


@pytest.mark.parametrize("count", [2, 4])
async def test_every_incident_runs_once_at_a_time(tmp_path: Path, url: str, count: int) -> None:
    async with replicated(tmp_path, think_slowly, database_url=url) as replicas:
        crowd = await replicas.start(count)

        answers = await asyncio.gather(
            *(
                replicas.request(crowd[(number + twice) % count], "POST", "/alert", json=_body(number))
                for number in range(INCIDENTS)
                for twice in range(2)
            )
        )
        incident_ids = {found for answer in answers for found in answer.json()["incident_ids"]}
        for incident_id in incident_ids:
            await replicas.reach(crowd[0], incident_id, "handed_over")

    assert len(incident_ids) == INCIDENTS
    assert len(await query(url, text("SELECT DISTINCT incident_id FROM runs"))) == INCIDENTS
    assert await query(url, OVERLAPS) == []
    ends = await query(url, text("SELECT incident_id FROM timeline WHERE kind = 'ended'"))
    assert sorted(ends) == sorted((incident_id,) for incident_id in incident_ids)


async def test_the_incidents_of_a_killed_replica_are_taken_over(tmp_path: Path, url: str) -> None:
    async with replicated(tmp_path, think_very_slowly, database_url=url) as replicas:
        (doomed,) = await replicas.start()
        incident_ids = [await replicas.post_alert(doomed, _body(number)) for number in range(3)]
        await await_condition(lambda: _runs_at(url, doomed.pid, 3), "three runs")

        (heir,) = await replicas.start()
        doomed.send(signal.SIGKILL)
        await doomed.ended()
        for incident_id in incident_ids:
            await replicas.reach(heir, incident_id, "handed_over")

        assert await _runs_at(url, heir.pid, 3)
    assert await query(url, OVERLAPS) == []


async def test_a_replica_that_wakes_after_it_was_taken_over_writes_nothing(
    replicas: Replicas, sandbox: SandboxCluster, url: str, before: list[Trick]
) -> None:
    held, taken_over = asyncio.Event(), asyncio.Event()

    async def hold() -> JSONResponse | None:
        sleeper.send(signal.SIGSTOP)
        held.set()
        await taken_over.wait()
        return None  # the patch goes on to the API server only now

    before.append(hold)
    (sleeper,) = await replicas.start()
    incident_id = await replicas.post_alert(sleeper, real_body())
    proposed = await replicas.reach(sleeper, incident_id, "awaiting_approval")
    await replicas.approve(sleeper, proposed)
    await asyncio.wait_for(held.wait(), 60)

    (heir,) = await replicas.start()
    incident = await replicas.reach(heir, incident_id, "resolved")
    before_waking = await _written(url)
    taken_over.set()
    sleeper.send(signal.SIGCONT)
    await await_condition(lambda: _said(sleeper, "taken over"), "the sleeper to notice")
    again = await replicas.reach(sleeper, incident_id, "resolved")

    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1
    assert again == incident
    assert await _written(url) == before_waking
    sleeper.send(signal.SIGTERM)
    assert await sleeper.ended() == 0


async def test_what_one_replica_is_told_another_carries_out(
    replicas: Replicas, sandbox: SandboxCluster, url: str
) -> None:
    (front,) = await replicas.start(prepare=only_answer)
    (worker,) = await replicas.start()

    incident_id = await replicas.post_alert(front, real_body())
    proposed = await replicas.reach(front, incident_id, "awaiting_approval")
    followed = asyncio.create_task(_follow(replicas, front.url, incident_id))
    code = await replicas.approve(front, proposed)
    incident = await replicas.reach(front, incident_id, "resolved")

    assert code == 201
    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1
    assert {"alert_received", "proposed", "decided", "applied", "verdict", "ended"} <= set(await followed)
    assert await query(url, text("SELECT DISTINCT pid FROM runs")) == [(worker.pid,)]


async def test_a_replica_told_to_stop_puts_its_verification_down_for_another(
    replicas: Replicas, sandbox: SandboxCluster, url: str
) -> None:
    (leaving,) = await replicas.start()
    incident_id = await replicas.post_alert(leaving, real_body())
    await replicas.approve(leaving, await replicas.reach(leaving, incident_id, "awaiting_approval"))
    await replicas.reach(leaving, incident_id, "verifying")

    leaving.send(signal.SIGTERM)
    code = await leaving.ended()
    waiting = await query(url, text("SELECT lock, status::text FROM procrastinate_jobs"))
    (heir,) = await replicas.start()
    incident = await replicas.reach(heir, incident_id, "resolved")

    assert code == 0
    assert waiting == [(incident_id, "todo")]
    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1
    assert await query(url, OVERLAPS) == []


def _body(number: int) -> dict[str, Any]:
    """Return an alert about a workload of its own."""
    body = body_for(f"app-{number}")
    for index, alert in enumerate(body["alerts"]):
        alert["fingerprint"] = f"{number:08x}{index:08x}"
    return body


async def _runs_at(url: str, pid: int, count: int) -> bool | None:
    found = await query(url, text(f"SELECT DISTINCT incident_id FROM runs WHERE pid = {pid}"))
    return len(found) >= count or None


async def _written(url: str) -> list[tuple[Any, ...]]:
    """Return all that a run may write: its incident, its approvals, intents and timeline, its checkpoints."""
    counts = (
        "SELECT (SELECT run_epoch FROM incidents), (SELECT count(*) FROM timeline),"
        " (SELECT count(*) FROM intents), (SELECT count(*) FROM checkpoints),"
        " (SELECT count(*) FROM checkpoint_writes), (SELECT count(*) FROM audit)"
    )
    return list(await query(url, text(counts)))


async def _said(replica: Any, words: str) -> bool | None:
    return words in replica.log() or None


async def _follow(replicas: Replicas, url: str, incident_id: str) -> list[str]:
    """Follow an incident's events at one replica to their end; return their kinds."""
    async with (
        replicas.client(url) as client,
        aconnect_sse(client, "GET", f"/v1/incidents/{incident_id}/events") as events,
    ):
        return [event.event async for event in events.aiter_sse()]
