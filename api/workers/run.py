"""Runs: what is to be done about one incident, read from the ledger and its checkpoint, and done.

The tables are the truth and the checkpoint says where a run stands; a wake-up is only a hint, so it may be
lost or come twice. Who calls `go`, and that nobody else does for the same incident, is the runner's affair.
"""

import logging
from typing import TYPE_CHECKING, Any

from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import Command

from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.ledger import Ledger
from graph.ports import StaleRun
from graph.state import IncidentState, RunContext
from tools.errors import MendgateError

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import StateSnapshot

log = logging.getLogger(__name__)
_SUPERSTEPS = 200
_NOTHING, _REOPEN = object(), object()


class Runs:
    """Incidents on their way through the graph."""

    def __init__(
        self,
        graph: "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]",
        ledger: Ledger,
    ) -> None:
        self._graph = graph
        self._ledger = ledger
        self._control = RunControl()
        self.unfinished: set[str] = set()
        """What runs; once the runs are put down, what ran then or should have begun since."""

    @property
    def is_draining(self) -> bool:
        """Whether nothing may be begun any more."""
        return self._control.drain_requested

    def drain(self) -> None:
        """Put every run down after the node it is in, and begin none."""
        self._control.request_drain()

    async def go(self, incident_id: str) -> None:
        """Do everything that is due for the incident. A failure is recorded on the incident or in the log."""
        self.unfinished.add(incident_id)
        try:
            if not self.is_draining:
                await self._go(incident_id)
        except StaleRun as stale:
            log.warning("%s", stale)
        except Exception:
            log.exception("can't tell what to do next; the next sweep tries again")
        finally:
            if not self.is_draining:
                self.unfinished.discard(incident_id)

    async def due(self) -> set[str]:
        """Return the incidents that don't wait for a person, once what is late has been marked expired."""
        expired = await self._ledger.approvals.expire()
        return {*expired, *await self._ledger.incidents.runnable()}

    async def retry(self, incident_id: str, by: str) -> None:
        """Open a failed incident again: it goes on where it failed, or starts afresh if it had ended."""
        thread = await self._ledger.incidents.thread(incident_id)
        snapshot = await self._graph.aget_state(_config(thread.id))
        await self._ledger.incidents.retry(
            incident_id, by, afresh=bool(snapshot.values) and not snapshot.next
        )

    async def _go(self, incident_id: str) -> None:
        thread = await self._ledger.incidents.thread(incident_id)
        if not thread.is_active:
            return
        snapshot = await self._graph.aget_state(_config(thread.id))
        pending = await self._next_input(incident_id, snapshot)
        if pending is _NOTHING:
            return
        epoch = await self._ledger.incidents.begin_run(incident_id)
        if pending is _REOPEN:
            await self._reopen(snapshot, epoch)
            pending = None
        await self._invoke(incident_id, _config(thread.id, epoch), pending, epoch)

    async def _next_input(self, incident_id: str, snapshot: "StateSnapshot") -> Any:
        """Return what to invoke the graph with: fresh input, a resume, None to go on, or nothing at all."""
        if not snapshot.values and not snapshot.next:
            group = await self._ledger.incidents.group(incident_id)
            return {"alert": group.model_dump(mode="json"), "incident_id": incident_id}
        if not snapshot.interrupts:
            if await self._is_settled(snapshot):
                return _REOPEN
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

    async def _reopen(self, snapshot: "StateSnapshot", epoch: int) -> None:
        """Let a run that has ended go on with its execution: a person has settled how that ended.

        `apply_fix` finds the outcome in the ledger; nothing is executed again.
        """
        settled = {"ending": None, "outcome": None, "standing": "approved"}
        configurable = {**snapshot.config["configurable"], "run_epoch": epoch}
        await self._graph.aupdate_state({"configurable": configurable}, settled, as_node="await_approval")

    async def _invoke(self, incident_id: str, config: "RunnableConfig", pending: Any, epoch: int) -> None:
        context = RunContext(epoch=epoch)
        try:
            await self._graph.ainvoke(
                pending, config, context=context, durability="sync", control=self._control
            )
        except GraphDrained:
            log.info("the run is put down; it goes on elsewhere, or at the next start")
        except (StaleRun, DatabaseUnavailable):
            raise  # the run stands where its last checkpoint is: the next sweep goes on from there
        except Exception as error:
            known = isinstance(error, MendgateError)
            log.error("the run failed: %s", error, exc_info=not known)  # noqa: TRY400 -- see known
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            await self._ledger.incidents.fail(incident_id, epoch, reason)


def _config(thread_id: str, epoch: int | None = None) -> "RunnableConfig":
    """Return a run's configuration. Its `run_epoch` fences off its checkpoints (`checkpoints.savers`)."""
    named = {} if epoch is None else {"run_epoch": epoch}
    return {"configurable": {"thread_id": thread_id, **named}, "recursion_limit": _SUPERSTEPS}
