"""Postgres as it is in real life: it restarts, it is busy, it is set up oddly; and the saver on it."""

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.engine import make_url

from checkpoints.db.engine import parse_url
from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.db.postgres import hold_migration
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from tests.databases import PostgresUnderTest, query
from tests.unit.graph.domain.test_alerts_and_targets import real_body

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver

RUNS = 24


class Stranger(BaseModel):
    """A type that no checkpoint may bring to life."""

    name: str


class Pausing(BaseModel):
    """A small run's state."""

    text: str = ""
    answer: str = ""


@pytest.fixture
def database_url(url: str) -> str:
    """Let the ledger and the saver be on Postgres alone."""
    return url


async def open_incident(ledger: Ledger) -> tuple[str, int]:
    receipt = await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    (incident_id,) = receipt.incident_ids
    return incident_id, await ledger.incidents.begin_run(incident_id)


def thread(name: str) -> "RunnableConfig":
    return {"configurable": {"thread_id": name, "checkpoint_ns": ""}}


async def test_a_restart_of_the_server_costs_no_transaction_and_no_checkpoint(
    ledger: Ledger, saver: "BaseCheckpointSaver[str]", postgres: PostgresUnderTest, url: str
) -> None:
    incident_id, epoch = await open_incident(ledger)
    await saver.aget_tuple(thread("t"))

    postgres.disconnect_all(url)
    await ledger.incidents.set_status(incident_id, epoch, "investigating")
    postgres.disconnect_all(url)
    await saver.aput(thread("t"), empty_checkpoint(), {}, {})

    assert (await ledger.incidents.find(incident_id)).status == "investigating"
    assert await saver.aget_tuple(thread("t")) is not None


async def test_a_server_that_is_away_is_said_to_be_and_comes_back(
    ledger: Ledger, postgres: PostgresUnderTest, url: str
) -> None:
    incident_id, epoch = await open_incident(ledger)

    with postgres.closed(url), pytest.raises(DatabaseUnavailable, match="nothing was stored; try again"):
        await ledger.incidents.set_status(incident_id, epoch, "investigating")

    await ledger.incidents.set_status(incident_id, epoch, "verifying")
    assert (await ledger.incidents.find(incident_id)).status == "verifying"


async def test_a_migration_that_is_done_is_no_failure_because_its_lock_was_lost_meanwhile(
    postgres: PostgresUnderTest, url: str
) -> None:
    told: list[str] = []
    async with hold_migration(parse_url(url), told.append):
        await asyncio.to_thread(postgres.disconnect_all, url)

    async with hold_migration(parse_url(url), told.append):
        pass
    assert told == []


async def test_a_checkpoint_that_cannot_be_read_is_told_as_an_unavailable_database(
    saver: "BaseCheckpointSaver[str]", postgres: PostgresUnderTest, url: str
) -> None:
    await saver.aget_tuple(thread("t"))
    await query(url, text("ALTER TABLE checkpoints RENAME TO gone"))

    with pytest.raises(DatabaseUnavailable, match="checkpoints"):
        await saver.aget_tuple(thread("t"))


async def test_waiting_for_a_lock_has_an_end(ledger: Ledger, url: str) -> None:
    incident_id, epoch = await open_incident(ledger)

    async with (
        open_ledger(f"{url}&options=-c%20lock_timeout%3D100ms") as hasty,
        await psycopg.AsyncConnection.connect(url) as holder,
    ):
        await holder.execute("SELECT 1 FROM incidents FOR UPDATE")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await hasty.incidents.set_status(incident_id, epoch, "investigating")
        await holder.rollback()

        await hasty.incidents.set_status(incident_id, epoch, "investigating")


async def test_deliveries_do_not_wait_for_each_other_for_ever(ledger: Ledger, url: str) -> None:
    group = AlertGroup.model_validate(real_body())

    async with (
        open_ledger(f"{url}&options=-c%20lock_timeout%3D100ms") as hasty,
        await psycopg.AsyncConnection.connect(url) as holder,
    ):
        await holder.execute("SELECT pg_advisory_xact_lock(7210002)")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await hasty.intake.accept(group, b"{}")


async def test_odd_defaults_of_the_server_change_nothing(postgres: PostgresUnderTest, url: str) -> None:
    name = str(make_url(url).database)
    postgres.execute("ALTER DATABASE {} SET TimeZone = 'America/New_York'", name)
    postgres.execute("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'", name)
    body = real_body()
    for alert in body["alerts"]:
        alert["startsAt"] = "0001-01-01T00:00:00Z"

    async with open_ledger(url) as ledger:
        receipts = await asyncio.gather(
            *(ledger.intake.accept(AlertGroup.model_validate(body), b"{}") for _ in range(8))
        )
        (incident_id,) = receipts[0].incident_ids
        epochs = await asyncio.gather(*(ledger.incidents.begin_run(incident_id) for _ in range(8)))

    assert sum(receipt.new_alerts for receipt in receipts) == 3
    assert sorted(epochs) == list(range(1, 9))


async def test_many_runs_at_once_pause_and_go_on(saver: "BaseCheckpointSaver[str]") -> None:
    graph = _pausing_graph(saver)
    state = Pausing(text="before\x00after")

    paused = await asyncio.gather(*(graph.ainvoke(state, thread(f"t-{n}")) for n in range(RUNS)))
    ended = await asyncio.gather(
        *(graph.ainvoke(Command(resume=f"yes {n}"), thread(f"t-{n}")) for n in range(RUNS))
    )

    assert all(one["__interrupt__"] for one in paused)
    assert [one["answer"] for one in ended] == [f"yes {n}" for n in range(RUNS)]
    assert {one["text"] for one in ended} == {"before\ufffdafter"}


async def test_a_checkpoint_brings_only_listed_types_to_life(saver: "BaseCheckpointSaver[str]") -> None:
    checkpoint = empty_checkpoint()
    target = Target(kind="Pod", namespace=None, name="x")
    checkpoint["channel_values"] = {"one": Stranger(name="x"), "two": target}
    checkpoint["channel_versions"] = {"one": "1", "two": "1"}
    await saver.aput(thread("t"), checkpoint, {}, checkpoint["channel_versions"])

    found = await saver.aget_tuple(thread("t"))

    assert found is not None
    values = found.checkpoint["channel_values"]
    assert not isinstance(values["one"], Stranger)
    assert values["two"] == target


def _pausing_graph(saver: "BaseCheckpointSaver[str]") -> Any:
    def ask(state: Pausing) -> dict[str, str]:
        return {"answer": interrupt("go on?")}

    builder = StateGraph(Pausing)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    return builder.compile(checkpointer=saver)
