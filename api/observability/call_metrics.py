"""Counts the calls of tools and of the model in runs, as LangChain tells of them.

Every tool and every question goes through LangChain, so that the graph and the tools needn't know that
somebody counts. What is called with which arguments is none of this module's business.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from api.observability.metrics import Metrics


@dataclass(frozen=True)
class _Call:
    """A call that goes on: of a tool, or (no name) of the model; from within which node, and since when."""

    tool: str
    node: UUID | None
    started: float

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return monotonic() - self.started


class CallWatch(AsyncCallbackHandler):
    """Tells the metrics of each call, when it has ended.

    LangChain says nothing of one that was cancelled, as when the model falls silent: that it is over shows
    when its node is.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._open: dict[UUID, _Call] = {}

    async def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """Note that a tool is called."""
        self._open[run_id] = _Call(tool_name(serialized), parent_run_id, monotonic())

    async def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """Count a tool's answer."""
        self._end(run_id, tool_outcome(output))

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Count a call that got no answer."""
        self._end(run_id, "lost")

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """Note that the model is asked."""
        self._open[run_id] = _Call("", parent_run_id, monotonic())

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """Count the model's answer and what it cost."""
        self._metrics.note_tokens(*tokens_of(response))
        self._end(run_id, "answered")

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Count a question that was answered with an error."""
        self._end(run_id, "failed")

    async def on_chain_end(
        self, outputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **_: Any
    ) -> None:
        """Count a claim that was refused, of which the ledger keeps no line, and what was cancelled."""
        outcome = outputs.get("outcome") if isinstance(outputs, dict) else None
        if parent_run_id and getattr(outcome, "kind", "") == "refused":  # of the node, not of the whole run
            self._metrics.note_refused_claim()
        self._end_cancelled(run_id)

    async def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Count what was cancelled with its node."""
        self._end_cancelled(run_id)

    def _end_cancelled(self, node: UUID) -> None:
        for run_id in [run_id for run_id, call in self._open.items() if call.node == node]:
            self._end(run_id, "cancelled")

    def _end(self, run_id: UUID, outcome: str) -> None:
        call = self._open.pop(run_id, None)
        if call is None:
            return
        if call.tool:
            self._metrics.note_tool(call.tool, outcome, call.seconds)
        else:
            self._metrics.note_model(outcome, call.seconds)


def tool_name(serialized: dict[str, Any] | None) -> str:
    """Return a tool's name as LangChain tells it."""
    return str((serialized or {}).get("name", ""))


def tool_outcome(output: Any) -> str:
    """Return `answered`, or `error` where the tool says that it couldn't."""
    return "error" if getattr(output, "status", "") == "error" else "answered"


def tokens_of(response: LLMResult) -> tuple[int, int]:
    """Return how many tokens a question and its answer had, 0 where the endpoint doesn't say."""
    for generation in (one for some in response.generations for one in some):
        message = generation.message if isinstance(generation, ChatGeneration) else None
        if isinstance(message, AIMessage) and (usage := message.usage_metadata):
            return usage["input_tokens"], usage["output_tokens"]
    return 0, 0
