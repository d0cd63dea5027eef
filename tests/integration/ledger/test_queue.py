"""The queue on Postgres: jobs are committed with what they follow from, and its tables are migrated."""

from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from checkpoints.db.engine import parse_url
from checkpoints.db.errors import DatabaseUnavailable, SchemaMismatch
from checkpoints.ledger import open_ledger
from checkpoints.queue import jobs, wakeups
from checkpoints.queue.jobs import HeartbeatSettings, open_queue, prepare_queue, require_queue
from graph.domain.alerts.payload import AlertGroup
from tests.databases import query
from tests.integration.rest.rest_service import open_rest_service
from tests.unit.graph.domain.test_alerts_and_targets import real_body

JOBS = text("SELECT lock, status::text FROM procrastinate_jobs ORDER BY id")


async def test_an_alert_is_committed_with_its_job_and_a_repeat_makes_none(url: str) -> None:
    async with open_ledger(url) as ledger:
        group = AlertGroup.model_validate(real_body())
        receipt = await ledger.intake.accept(group, b"{}")
        await ledger.intake.accept(group, b"{}")

    assert await query(url, JOBS) == [(incident_id, "todo") for incident_id in receipt.incident_ids]


async def test_a_decision_is_committed_with_its_job(tmp_path: Path, url: str) -> None:
    async with open_rest_service(tmp_path, url) as rest_service:
        proposal = await rest_service.propose()
        before = await query(url, JOBS)

        for _ in range(2):  # the second time nothing new is recorded
            await rest_service.ledger.decisions.decide(
                proposal.id, by="alice", verdict="approve", digest=proposal.digest, reason=""
            )

    assert await query(url, JOBS) == [*before, (proposal.incident_id, "todo")]


async def test_what_is_rolled_back_wakes_nobody(url: str) -> None:
    async with open_ledger(url) as ledger:
        with suppress(KeyError):
            async with ledger.intake._transaction() as session:
                await wakeups.wake(session, ["inc-1"])
                raise KeyError

    assert await query(url, JOBS) == []


async def test_a_queue_that_cannot_be_written_to_takes_the_alert_back(url: str) -> None:
    await query(url, text("ALTER TABLE procrastinate_jobs RENAME TO gone"))

    async with open_ledger(url) as ledger:
        with pytest.raises(DatabaseUnavailable, match="nothing was stored"):
            await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")

        assert (await ledger.incidents.page()).items == ()


async def test_a_job_too_many_does_no_harm(url: str) -> None:
    async with open_queue(url, HeartbeatSettings()) as one:
        await one.put(["inc-1"])
        await one.put(["inc-1"])

        assert await one.incidents_with_jobs() == {"inc-1"}


async def test_a_newer_procrastinate_is_one_more_migration(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in jobs._scripts().glob("*.sql"):
        (tmp_path / script.name).write_text("SELECT no_such_function()")  # applied already: never run again
    (tmp_path / "99.00.00_01_pre_new.sql").write_text("CREATE TABLE procrastinate_new (id int);\nSELECT 1;")
    monkeypatch.setattr(jobs, "_scripts", lambda: tmp_path)

    with pytest.raises(SchemaMismatch, match="run `mendgate migrate`"):
        await require_queue(parse_url(url))
    told = [await prepare_queue(parse_url(url)) for _ in range(2)]

    assert told == ["the queue's tables went on by 1 scripts", "the queue's tables are up to date already"]
    await require_queue(parse_url(url))
    assert await query(url, text("SELECT * FROM procrastinate_new")) == []
