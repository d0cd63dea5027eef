"""The runner: starts and wakes runs, one per incident at a time.

The tables are the truth and the checkpoint says where a run stands; a wake-up is only a hint, so it may be
lost or come twice. A sweep at the start, and now and then, finds whatever still has to run.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from langgraph.types import Command

from checkpoints.database import DatabaseUnavailable
from checkpoints.ledger import Ledger
from graph.ports import StaleRun
from graph.state import IncidentState, RunContext
from tools.errors import AlertmendError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import StateSnapshot

log = logging.getLogger(__name__)
_SUPERSTEPS = 200
_NOTHING = object()


class Runner:
    """Runs incidents through the graph. `at_once` bounds how many run in parallel."""

    def __init__(
        self,
        graph: "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]",
        ledger: Ledger,
        *,
        at_once: int = 32,
        sweep_seconds: float = 5.0,
        drain_seconds: float = 5.0,
    ) -> None:
        self._graph = graph
        self._ledger = ledger
        self._places = asyncio.Semaphore(at_once)
        self._sweep_seconds = sweep_seconds
        self._drain_seconds = drain_seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    @asynccontextmanager
    async def started(self) -> AsyncIterator["Runner"]:
        """Sweep until the block ends; then give the runs a moment, and stop them where they stand."""
        sweeper = asyncio.create_task(self._sweep_forever(), name="sweep")
        try:
            yield self
        finally:
            sweeper.cancel()
            runs = list(self._running.values())
            if runs:
                await asyncio.wait(runs, timeout=self._drain_seconds)
            for task in (sweeper, *runs):
                task.cancel()
            await asyncio.gather(sweeper, *runs, return_exceptions=True)

    def wake(self, incident_id: str) -> None:
        """See whether the incident has something to do, now or right after its present run."""
        if incident_id in self._running:
            self._again.add(incident_id)
            return
        task = asyncio.create_task(self._run_while_woken(incident_id), name=incident_id)
        self._running[incident_id] = task
        task.add_done_callback(lambda _: self._running.pop(incident_id, None))

    async def retry(self, incident_id: str, by: str) -> None:
        """Open a failed incident again: it goes on where it failed, or starts afresh if it had ended."""
        thread = await self._ledger.incidents.thread(incident_id)
        snapshot = await self._graph.aget_state(_config(thread.id))
        await self._ledger.incidents.retry(
            incident_id, by, afresh=bool(snapshot.values) and not snapshot.next
        )
        self.wake(incident_id)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                expired = await self._ledger.approvals.expire()
                for incident_id in {*expired, *await self._ledger.incidents.runnable()}:
                    if incident_id not in self._running:
                        self.wake(incident_id)
            except Exception:
                log.exception("the sweep failed; the next one is in %g s", self._sweep_seconds)
            await asyncio.sleep(self._sweep_seconds)

    async def _run_while_woken(self, incident_id: str) -> None:
        while True:
            self._again.discard(incident_id)
            async with self._places:
                await self._run(incident_id)
            if incident_id not in self._again:
                return

    async def _run(self, incident_id: str) -> None:
        try:
            thread = await self._ledger.incidents.thread(incident_id)
            if not thread.is_active:
                return
            config = _config(thread.id)
            pending = await self._next_input(incident_id, await self._graph.aget_state(config))
            if pending is not _NOTHING:
                epoch = await self._ledger.incidents.begin_run(incident_id)
                await self._invoke(incident_id, config, pending, epoch)
        except StaleRun as stale:
            log.warning("%s", stale)
        except Exception:
            log.exception("can't tell what to do next; the next sweep tries again")

    async def _next_input(self, incident_id: str, snapshot: "StateSnapshot") -> Any:
        """Return what to invoke the graph with: fresh input, a resume, None to go on, or nothing at all."""
        if not snapshot.values and not snapshot.next:
            group = await self._ledger.incidents.group(incident_id)
            return {"alert": group.model_dump(mode="json"), "incident_id": incident_id}
        if not snapshot.interrupts:
            if await self._is_settled(snapshot):
                await self._reopen(snapshot)
                return None
            return None if snapshot.tasks else _NOTHING
        standing = await self._ledger.approvals.standing(snapshot.values["approval_id"])
        status = standing.approval.status
        if status == "pending" or (status == "approved" and standing.stopped_by):
            return _NOTHING
        # The value is a wake-up and nothing else: the gate reads the decision from the ledger.
        return Command(resume={interrupt.id: "wake" for interrupt in snapshot.interrupts})

    async def _is_settled(self, snapshot: "StateSnapshot") -> bool:
        """Whether a person has settled the execution that this run left behind as unknown.

        That `next` is empty says nothing: it is, too, where a crash came between a node's writes and their
        checkpoint.
        """
        outcome = snapshot.values.get("outcome")
        if outcome is None or outcome.kind != "unknown":
            return False
        approval = await self._ledger.approvals.find(snapshot.values["approval_id"])
        return approval.status in {"applied", "failed"}

    async def _reopen(self, snapshot: "StateSnapshot") -> None:
        """Let a run that has ended go on with its execution: a person has settled how that ended.

        `apply_fix` finds the outcome in the ledger; nothing is executed again.
        """
        settled = {"ending": None, "outcome": None, "standing": "approved"}
        await self._graph.aupdate_state(snapshot.config, settled, as_node="await_approval")

    async def _invoke(self, incident_id: str, config: "RunnableConfig", pending: Any, epoch: int) -> None:
        try:
            await self._graph.ainvoke(pending, config, context=RunContext(epoch=epoch), durability="sync")
        except (StaleRun, DatabaseUnavailable):
            raise  # the run stands where its last checkpoint is: the next sweep goes on from there
        except Exception as error:
            known = isinstance(error, AlertmendError)
            log.error("the run failed: %s", error, exc_info=not known)  # noqa: TRY400 -- see known
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            await self._ledger.incidents.fail(incident_id, epoch, reason)


def _config(thread_id: str) -> "RunnableConfig":
    return {"configurable": {"thread_id": thread_id}, "recursion_limit": _SUPERSTEPS}
