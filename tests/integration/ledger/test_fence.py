"""A run that was taken over writes no checkpoint: the thread stays as the later run left it."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from psycopg import AsyncCursor

from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from graph.ports import StaleRun
from tests.unit.graph.domain.test_alerts_and_targets import real_body

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver


@pytest.fixture
def database_url(url: str) -> str:
    """Let the ledger and the saver be on Postgres alone."""
    return url


@pytest.fixture
async def incident_id(ledger: Ledger) -> str:
    receipt = await ledger.intake.accept(AlertGroup.model_validate(real_body()), b"{}")
    return receipt.incident_ids[0]


def thread(incident_id: str, epoch: int) -> "RunnableConfig":
    return {"configurable": {"thread_id": f"{incident_id}.1", "checkpoint_ns": "", "run_epoch": epoch}}


async def newest(saver: "BaseCheckpointSaver[str]", incident_id: str) -> tuple[str, int]:
    """Return the thread's newest checkpoint, and how many writes wait on it."""
    found = await saver.aget_tuple(thread(incident_id, 0))
    assert found is not None
    return found.checkpoint["id"], len(found.pending_writes or ())


async def test_a_run_that_was_taken_over_leaves_the_thread_alone(
    ledger: Ledger, saver: "BaseCheckpointSaver[str]", incident_id: str
) -> None:
    old = await ledger.incidents.begin_run(incident_id)
    first = await saver.aput(thread(incident_id, old), empty_checkpoint(), {}, {})
    new = await ledger.incidents.begin_run(incident_id)
    second = await saver.aput(thread(incident_id, new), empty_checkpoint(), {}, {})
    stood = await newest(saver, incident_id)

    stale: RunnableConfig = {"configurable": {**second["configurable"], "run_epoch": old}}
    with pytest.raises(StaleRun, match="was taken over"):
        await saver.aput(thread(incident_id, old), empty_checkpoint(), {}, {})
    with pytest.raises(StaleRun, match="was taken over"):
        await saver.aput_writes(stale, [("steps", 1)], "a-task")

    assert first != second
    assert await newest(saver, incident_id) == stood


async def test_a_take_over_waits_for_the_checkpoint_that_is_being_written(
    ledger: Ledger, saver: "BaseCheckpointSaver[str]", incident_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = await ledger.incidents.begin_run(incident_id)
    checked, goes_on = asyncio.Event(), asyncio.Event()
    real = AsyncCursor.execute

    async def held(self: AsyncCursor[Any], query: Any, *arguments: Any, **options: Any) -> Any:
        answer = await real(self, query, *arguments, **options)
        if "FOR SHARE" in str(query):
            checked.set()
            await goes_on.wait()
        return answer

    monkeypatch.setattr(AsyncCursor, "execute", held)
    writing = asyncio.create_task(saver.aput(thread(incident_id, epoch), empty_checkpoint(), {}, {}))
    await checked.wait()
    taking = asyncio.create_task(ledger.incidents.begin_run(incident_id))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(taking), 0.3)
    goes_on.set()

    written = await writing
    assert await taking == epoch + 1
    assert (await newest(saver, incident_id))[0] == written["configurable"]["checkpoint_id"]
