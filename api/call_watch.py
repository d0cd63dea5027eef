"""Counts the calls of tools and of the model in runs, as LangChain tells of them.

Every tool and every question goes through LangChain, so that the graph and the tools needn't know that
somebody counts. What is called with which arguments is none of this module's business.
"""

from time import monotonic
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from api.metrics import Metrics


class CallWatch(AsyncCallbackHandler):
    """Tells the metrics of each call, when it has ended."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._begun: dict[UUID, tuple[str, float]] = {}

    async def on_tool_start(
        self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, **_: Any
    ) -> None:
        """Note when a tool is called."""
        self._begun[run_id] = (tool_name(serialized), monotonic())

    async def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """Count a tool's answer."""
        self._end_tool(run_id, tool_outcome(output))

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Count a call that got no answer."""
        self._end_tool(run_id, "lost")

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **_: Any
    ) -> None:
        """Note when the model is asked."""
        self._begun[run_id] = ("", monotonic())

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """Count the model's answer and what it cost."""
        started = self._begun.pop(run_id, ("", monotonic()))[1]
        self._metrics.note_model("answered", monotonic() - started, *tokens_of(response))

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Count a question without an answer."""
        started = self._begun.pop(run_id, ("", monotonic()))[1]
        self._metrics.note_model("failed", monotonic() - started, 0, 0)

    async def on_chain_end(self, outputs: Any, **_: Any) -> None:
        """Count a claim that was refused: the ledger keeps no line of those."""
        outcome = outputs.get("outcome") if isinstance(outputs, dict) else None
        if getattr(outcome, "kind", "") == "refused" and "incident_id" not in outputs:  # not the whole state
            self._metrics.note_refused_claim()

    def _end_tool(self, run_id: UUID, outcome: str) -> None:
        name, started = self._begun.pop(run_id, ("", monotonic()))
        self._metrics.note_tool(name or "unknown", outcome, monotonic() - started)


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
