"""Calls as LangChain tells of them: what answers, what fails, and what it says nothing about, is counted."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.observability.call_metrics import CallWatch
from api.observability.metrics import Metrics
from api.observability.span_callbacks import SpanRecorder
from api.observability.spans import IncidentIds, Traces
from tests.integration.cluster.clusters import await_condition
from tests.integration.model_server import Answer, ScriptedModel, says, silence, status
from tools.grants import Outcome
from tools.llm.client import ChatModel, Message, ModelUnavailable, Question

APPLIED = Outcome(kind="applied", detail="")
QUESTION = Question((Message("user", "why?"),), functions=(), answer_schema={}, seconds=60)


class State(TypedDict, total=False):
    outcome: Outcome


class Watched:
    """A graph of one node that asks a model, with both that listen."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.exporter = InMemorySpanExporter()
        ids = IncidentIds()
        provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.listeners = [CallWatch(self.metrics), SpanRecorder(Traces(provider, ids))]

    async def ask(self, answer: Answer, outcome: Outcome = APPLIED) -> None:
        """Run the graph: its node asks, gives a silent model up, and ends with the outcome."""
        async with ScriptedModel([answer]) as server, _model(server) as model:

            async def analyse(state: State) -> dict[str, Any]:
                asking = asyncio.create_task(model.ask(QUESTION))
                if answer.wait_seconds is None:
                    await await_condition(partial(_arrived, server), "the question to arrive", 60)
                    asking.cancel()  # as its time-out does
                with suppress(ModelUnavailable, asyncio.CancelledError):  # the runbooks would go on
                    await asking
                return {"outcome": outcome}

            builder = StateGraph(State)
            builder.add_node("analyse", analyse)
            builder.add_edge(START, "analyse")
            builder.add_edge("analyse", END)
            graph = builder.compile().with_config(callbacks=self.listeners)
            await graph.ainvoke({}, {"configurable": {"thread_id": "inc-1.1"}})

    async def counted(self, name: str) -> list[str]:
        lines = (await self.metrics.render()).decode().splitlines()
        return [line for line in lines if line.startswith(f"mendgate_{name}")]

    def spans(self) -> dict[str, str]:
        """Return the outcome of each span that has ended."""
        spans = self.exporter.get_finished_spans()
        return {one.name: str((one.attributes or {}).get("mendgate.outcome", "")) for one in spans}


def _model(server: ScriptedModel) -> ChatModel:
    return ChatModel("scripted", base_url=server.base_url, api_key=None, retries=0)


async def _arrived(server: ScriptedModel) -> bool | None:
    return bool(server.requests) or None


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(says("because"), "answered"), (status(401), "failed"), (silence(), "cancelled")],
    ids=["answers", "refuses", "is silent"],
)
async def test_a_question_is_counted_and_traced_whatever_becomes_of_it(answer: Answer, outcome: str) -> None:
    watched = Watched()

    await watched.ask(answer)

    counted = await watched.counted("model_calls_total")
    assert counted == [f'mendgate_model_calls_total{{outcome="{outcome}"}} 1.0']
    assert watched.spans()["model"] == outcome
    assert watched.spans()["node analyse"] == "applied"


@pytest.mark.parametrize(("kind", "refused"), [("refused", 1), ("applied", 0)])
async def test_a_refused_claim_is_counted_once(kind: Any, refused: int) -> None:
    watched = Watched()

    await watched.ask(says("because"), Outcome(kind=kind, detail="the kill switch is on"))

    assert await watched.counted("claims_refused_total") == [f"mendgate_claims_refused_total {refused}.0"]
