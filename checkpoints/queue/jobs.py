"""The queue on Postgres: which incidents some replica has yet to look at, or is running now.

procrastinate keeps it in the ledger's database, so that a wake-up is committed with the decision or the alert
it follows from. A job is one look at an incident and the run that comes of it; its lock is the incident's id,
so that no two replicas run one incident at a time. The ledger stays the truth: a job may be lost, or come
twice.

This module loads procrastinate: import it where it is used.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from sqlalchemy.engine import URL

from checkpoints.db.engine import parse_url
from checkpoints.db.errors import SchemaMismatch, unavailable
from checkpoints.db.postgres import connect_arguments

log = logging.getLogger(__name__)
_QUEUE = "incidents"
_TASK = "run"
_CONNECTIONS = 4
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class HeartbeatSettings:
    """How often a replica says that it lives, and after how long a silence it counts as dead.

    Each sweeps, too: it looks for what has something to do, and no job.
    """

    beat_seconds: float = 10.0
    dead_seconds: float = 30.0
    sweep_seconds: float = 5.0


class Queue:
    """Jobs as one replica sees them. Raises `DatabaseUnavailable`."""

    def __init__(self, app: App, heartbeat: HeartbeatSettings) -> None:
        self.heartbeat = heartbeat
        self._app = app

    async def put(self, incident_ids: Collection[str]) -> None:
        """Have some replica look at the incidents."""
        if incident_ids:
            with _failures_named():
                await self._app.job_manager.batch_defer_jobs_async(_jobs(incident_ids))

    async def incidents_with_jobs(self) -> set[str]:
        """Return the incidents that have a job, waiting or being done."""
        return await self.waiting() | await self._locked(Status.DOING)

    async def waiting(self) -> set[str]:
        """Return the incidents that have a job which nobody does yet."""
        return await self._locked(Status.TODO)

    async def _locked(self, status: Status) -> set[str]:
        with _failures_named():
            jobs = await self._app.job_manager.list_jobs_async(queue=_QUEUE, status=status.value)
        return {job.lock for job in jobs if job.lock}

    async def drop_stalled_jobs(self) -> None:
        """Drop the jobs of replicas that are dead.

        They aren't put back: a replica that only seemed dead would end its job when it wakes, while another
        one is at it. The incidents are found by the sweep, and get new jobs.
        """
        with _failures_named():
            stalled = await self._app.job_manager.get_stalled_jobs(
                queue=_QUEUE, seconds_since_heartbeat=self.heartbeat.dead_seconds
            )
        for job in stalled:
            assert job.id is not None, "it was read from the database"
            log.warning("%s: the replica that ran it is silent; it goes on elsewhere", job.lock)
            with suppress(ConnectorException):  # another replica was faster, or the next sweep tries again
                await self._app.job_manager.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)

    async def work(self, run: Callable[[str], Awaitable[None]], at_once: int, stop_seconds: float) -> None:
        """Do jobs until cancelled; then leave the runs so long to end, and cancel them.

        Where the database fails the worker ends, and begins anew.
        """
        self._app.task(name=_TASK, queue=_QUEUE)(run)
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[_QUEUE],
                    concurrency=at_once,
                    install_signal_handlers=False,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    shutdown_graceful_timeout=stop_seconds,
                    update_heartbeat_interval=self.heartbeat.beat_seconds,
                    stalled_worker_timeout=self.heartbeat.dead_seconds,
                )
            except ConnectorException as error:
                log.warning("the queue can't be used now (%s); trying again", error.__cause__ or error)
            await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def open_queue(url: str, heartbeat: HeartbeatSettings) -> AsyncIterator[Queue]:
    """Open the queue in the database at `url`. Raises `SchemaMismatch` if its tables aren't up to date."""
    address = parse_url(url)
    await require_queue(address)
    connector = PsycopgConnector(
        kwargs=connect_arguments(address), min_size=1, max_size=_CONNECTIONS, timeout=_PAUSE_SECONDS * 10
    )
    app = App(connector=connector)
    with _failures_named():
        await app.open_async()
    try:
        yield Queue(app, heartbeat)
    finally:
        await app.close_async()


async def put_within(connection: Any, incident_ids: Collection[str]) -> None:
    """Do so in the transaction that a psycopg connection is in."""
    with _failures_named():
        await JobManager(PsycopgConnector()).batch_defer_jobs_async(
            _jobs(incident_ids), connection=connection
        )


async def require_queue(address: URL) -> None:
    """Raise `SchemaMismatch` unless the queue's tables are what the installed procrastinate needs."""
    async with _connection(address) as connection:
        missing = _needed() - await _done(connection)
    if missing:
        raise SchemaMismatch(f"the queue's tables lack {len(missing)} scripts: run `mendgate migrate`")


async def prepare_queue(address: URL) -> str:
    """Bring the queue's tables up to date and say what was done.

    procrastinate ships a schema for an empty database and one script for each change of it, but nothing that
    remembers which were applied: a table of ours does.
    """
    async with _connection(address) as connection:
        done = await _done(connection)
        missing = sorted(_needed() - done)
        if not missing:
            return "the queue's tables are up to date already"
        for name in missing if done else ():
            await connection.execute((_scripts() / name).read_bytes())
            await _note(connection, [name])
        if not done:
            async with connection.transaction():
                await connection.execute(SchemaManager.get_schema().encode())
                await connection.execute("CREATE TABLE queue_migrations (name text PRIMARY KEY)")
                await _note(connection, missing)
            return "the queue's tables were made"
        return f"the queue's tables went on by {len(missing)} scripts"


def _jobs(incident_ids: Collection[str]) -> list[Job]:
    return [
        Job(
            queue=_QUEUE, task_name=_TASK, lock=incident_id, queueing_lock=None,
            task_kwargs={"incident_id": incident_id},
        )
        for incident_id in incident_ids
    ]  # fmt: skip


def _scripts() -> Path:
    return Path(SchemaManager.get_migrations_path())


def _needed() -> set[str]:
    return {script.name for script in _scripts().glob("*.sql")}


async def _done(connection: psycopg.AsyncConnection[Any]) -> set[str]:
    known = await connection.execute("SELECT to_regclass('queue_migrations') IS NOT NULL")
    if not (await known.fetchone() or (False,))[0]:
        return set()
    return {
        name for (name,) in await (await connection.execute("SELECT name FROM queue_migrations")).fetchall()
    }


async def _note(connection: psycopg.AsyncConnection[Any], names: Collection[str]) -> None:
    await connection.execute("INSERT INTO queue_migrations SELECT unnest(%s::text[])", (list(names),))


@asynccontextmanager
async def _connection(address: URL) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    try:
        async with await psycopg.AsyncConnection.connect(
            autocommit=True, **connect_arguments(address, patient=True)
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise unavailable(error) from error


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except ConnectorException as error:
        raise unavailable(error.__cause__ or str(error)) from error
