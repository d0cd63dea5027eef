"""The state machine, on one screen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

from graph import routing
from graph.nodes.conclusion import Conclusion
from graph.nodes.investigation import Investigation
from graph.nodes.remediation import Remediation
from graph.state import IncidentState, RunContext
from tools.errors import ClusterUnreachable, ToolServerError


@dataclass(frozen=True)
class Nodes:
    """The three parts of a run: look, change, conclude."""

    investigation: Investigation
    remediation: Remediation
    conclusion: Conclusion


if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

DEFAULT_RETRY = RetryPolicy(
    retry_on=(ClusterUnreachable, ToolServerError), max_attempts=4, initial_interval=1.0, max_interval=10.0
)


def build_graph(
    nodes: Nodes, checkpointer: "BaseCheckpointSaver[Any] | None" = None, reading: RetryPolicy = DEFAULT_RETRY
) -> "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]":
    """Compile the graph. `reading` is how nodes that only read are retried; `apply_fix` never is."""
    builder = StateGraph(IncidentState, context_schema=RunContext)
    builder.add_node("receive_alert", nodes.investigation.receive_alert, retry_policy=reading)
    builder.add_node("analyze_root_cause", nodes.investigation.analyze_root_cause, retry_policy=reading)
    builder.add_node("run_tool", nodes.investigation.run_tool, retry_policy=reading)
    builder.add_node("propose_fix", nodes.remediation.propose_fix, retry_policy=reading)
    builder.add_node("await_approval", nodes.remediation.await_approval)
    builder.add_node("apply_fix", nodes.remediation.apply_fix)
    builder.add_node("verify_fix", nodes.conclusion.verify_fix)
    builder.add_node("generate_report", nodes.conclusion.generate_report)

    builder.add_edge(START, "receive_alert")
    builder.add_conditional_edges("receive_alert", routing.after_receive)
    builder.add_conditional_edges("analyze_root_cause", routing.after_analysis)
    builder.add_edge("run_tool", "analyze_root_cause")
    builder.add_conditional_edges("propose_fix", routing.after_proposal)
    builder.add_conditional_edges("await_approval", routing.after_approval)
    builder.add_conditional_edges("apply_fix", routing.after_apply)
    builder.add_conditional_edges("verify_fix", routing.after_verification)
    builder.add_edge("generate_report", END)

    return builder.compile(checkpointer=checkpointer, name="mendgate")
