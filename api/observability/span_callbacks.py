"""Makes spans of a run, as LangChain tells of it: the run, its nodes, and their tools and questions."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp
from opentelemetry.trace import Span, Status, StatusCode

from api.observability.call_metrics import tokens_of, tool_name, tool_outcome
from api.observability.spans import Traces


@dataclass(frozen=True)
class _Open:
    span: Span
    incident_id: str
    parent_id: UUID | None = None


class SpanRecorder(AsyncCallbackHandler):
    """Keeps the spans that are open, by LangChain's ids of what runs."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._open: dict[UUID, _Open] = {}
        self._paused: set[UUID] = set()

    async def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **told: Any,
    ) -> None:
        """Begin a run's or a node's span; what else LangGraph runs within a node has none."""
        about, name = metadata or {}, str(told.get("name", ""))
        if parent_run_id is None:
            incident_id = str(about.get("thread_id", "")).partition(".")[0]
            self._open[run_id] = _Open(self._traces.begin_root("run", incident_id), incident_id)
        elif about.get("langgraph_node") == name:
            self._begin(run_id, parent_run_id, f"node {name}", {"mendgate.node": name})

    async def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """End a run's or a node's span with what came of it."""
        if run_id in self._paused:  # LangGraph ends a run that pauses like any other
            self._paused.remove(run_id)
            self._end(run_id, "paused")
        else:
            self._end(run_id, _outcome_of(outputs) if isinstance(outputs, Mapping) else "")

    async def on_chain_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **_: Any
    ) -> None:
        """End it where it was cut short, by a pause or by an error."""
        if isinstance(error, GraphBubbleUp) and parent_run_id in self._open:
            self._paused.add(parent_run_id)
        self._fail(run_id, error)

    async def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """Begin a tool's span."""
        name = tool_name(serialized)
        self._begin(run_id, parent_run_id, f"tool {name}", {"mendgate.tool": name})

    async def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End it with whether the tool answered."""
        self._end(run_id, tool_outcome(output))

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End it where there was no answer."""
        self._fail(run_id, error)

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """Begin a question's span."""
        self._begin(run_id, parent_run_id, "model", {})

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """End it with what it cost."""
        if opened := self._open.get(run_id):
            asked, answered = tokens_of(response)
            opened.span.set_attributes({"mendgate.tokens_in": asked, "mendgate.tokens_out": answered})
        self._end(run_id, "answered")

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End it where there was no answer."""
        self._fail(run_id, error)

    def _begin(self, run_id: UUID, parent_id: UUID | None, name: str, facts: Mapping[str, str]) -> None:
        parent = self._open.get(parent_id) if parent_id else None
        if parent is None:
            return
        attributes = {"mendgate.incident": parent.incident_id, **facts}
        span = self._traces.begin_child(name, parent.span, attributes)
        self._open[run_id] = _Open(span, parent.incident_id, parent_id)

    def _end(self, run_id: UUID, outcome: str) -> None:
        if opened := self._open.pop(run_id, None):
            for child in [one for one, within in self._open.items() if within.parent_id == run_id]:
                self._end(child, "cancelled")  # LangChain says nothing of what was
            if outcome:
                opened.span.set_attribute("mendgate.outcome", outcome)
            opened.span.end()

    def _fail(self, run_id: UUID, error: BaseException) -> None:
        opened = self._open.get(run_id)
        if opened is None:
            return
        if isinstance(error, GraphBubbleUp):
            self._end(run_id, "paused")
        elif isinstance(error, asyncio.CancelledError):
            self._end(run_id, "cancelled")
        else:
            opened.span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            self._end(run_id, "failed")


def _outcome_of(outputs: Mapping[str, Any]) -> str:
    """Return the latest that a run has come to: its ending, else a verdict, else how it was executed."""
    ending, outcome = outputs.get("ending"), outputs.get("outcome")
    return str(getattr(ending, "status", "") or outputs.get("verdict") or getattr(outcome, "kind", "") or "")
