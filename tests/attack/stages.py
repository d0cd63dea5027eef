"""The whole loop in this process, with its doors open: attackers' hands reach the graph and both stores."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.rest.proposal_editor import Editor
from api.workers.local_runner import Runner
from checkpoints.ledger import Ledger, open_ledger
from checkpoints.savers.opening import open_saver
from graph.builder import Nodes, build_graph
from graph.cluster.verification import Verifier
from graph.domain.alerts.payload import AlertGroup
from graph.domain.incident import Incident, IncidentStatus
from graph.domain.proposal import Approval
from graph.nodes.conclusion import Conclusion
from graph.nodes.investigation import Investigation
from graph.nodes.remediation import Remediation
from graph.policy import BUILT_IN, refuse_object
from graph.policy.document import VerificationWindows
from graph.ports import Diagnostician
from graph.proposals.drafting import ProposalBuilder
from graph.runbooks.diagnostician import RunbookDiagnostician
from graph.safety.own_objects import OwnPod
from graph.state import RunContext
from tests.acceptance.workloads import body_for, break_image
from tests.attack.counting_proxy import CountingProxy, Write
from tests.integration.cluster.clusters import await_condition
from tools.executor import Executor
from tools.kubernetes.client import Cluster
from tools.mcp.server import Role, build_server
from tools.mcp.session import ToolSession, in_memory
from tools.mcp.toolbox import Toolbox

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

POLICY = BUILT_IN.model_copy(
    update={"verification": VerificationWindows(window="1s", longest_window="1s", budget="30s")}
)
ENDS: tuple[IncidentStatus, ...] = (
    "resolved", "unresolved", "handed_over", "rejected", "failed", "no_action",
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """A service whose incidents are broken Deployments of the cluster behind `front`."""

    ledger: Ledger
    saver: "BaseCheckpointSaver[str]"
    graph: "CompiledStateGraph[Any, RunContext, Any, Any]"
    runner: Runner
    toolbox: Toolbox
    executor: Executor
    editor: Editor
    front: CountingProxy

    async def open_incident(self, body: dict[str, Any] | None = None) -> Incident:
        """Break a Deployment and deliver its alert; return the incident once it waits for a person."""
        if body is None:
            name = self.front.cluster.unique("attacked")
            await break_image(self.front.cluster, name)
            body = body_for(name)
            for alert in body["alerts"]:
                alert["fingerprint"] = f"{alert['fingerprint']}-{name}"
        receipt = await self.ledger.intake.accept(AlertGroup.model_validate(body), b"{}")
        (incident_id,) = receipt.incident_ids
        return await self.wake(incident_id, "awaiting_approval")

    async def wake(self, incident_id: str, *statuses: IncidentStatus) -> Incident:
        """Wake the run; return the incident once it has one of the statuses, or has ended."""
        self.runner.wake(incident_id)

        async def probe() -> Incident | None:
            incident = await self.ledger.incidents.find(incident_id)
            return incident if incident.status in (*statuses, *ENDS) else None

        incident = await await_condition(probe, f"incident {incident_id} to be {statuses or 'over'}", 60)
        await self.settle(incident_id)
        return incident

    async def settle(self, incident_id: str) -> None:
        """Wait until nothing runs for the incident."""

        async def probe() -> bool | None:
            return incident_id not in self.runner._running or None

        await await_condition(probe, "the run to stand still", 60)

    async def approval(self, incident_id: str) -> Approval:
        """Return the incident's newest approval."""
        ids = (await self.ledger.incidents.find(incident_id)).approval_ids
        return await self.ledger.approvals.find(ids[-1])

    async def approve(self, approval: Approval) -> Approval:
        """Let alice approve what she sees."""
        approved, _ = await self.ledger.decisions.decide(
            approval.id, by="alice", verdict="approve", digest=approval.digest, reason=""
        )
        return approved

    async def config(self, incident_id: str) -> "RunnableConfig":
        """Return how LangGraph finds the incident's run."""
        thread = await self.ledger.incidents.thread(incident_id)
        return {"configurable": {"thread_id": thread.id}, "recursion_limit": 200}

    async def run(self, incident_id: str, given: Any, config: "RunnableConfig | None" = None) -> Any:
        """Run the graph by hand, as whoever holds the process can, in a run that takes the incident over."""
        epoch = await self.ledger.incidents.begin_run(incident_id)
        where = config or await self.config(incident_id)
        return await self.graph.ainvoke(given, where, context=RunContext(epoch=epoch), durability="sync")

    async def unapproved(self) -> list[Write]:
        """Return each request to change something that nobody approved, or that was taken once already."""
        approvals = {one.id: one for one in (await self.ledger.approvals.page(limit=200)).items}
        taken, found = set[str | None](), list[Write]()
        for write in self.front.writes:
            approval = approvals.get(write.approval_id or "")
            if write.approval_id in taken or approval is None or not _is_approved(write, approval):
                found.append(write)
            elif write in self.front.taken:
                taken.add(write.approval_id)
        return found


@asynccontextmanager
async def open_stage(
    front: CountingProxy,
    database_url: str,
    diagnostician: Diagnostician | None = None,
    own_pod: OwnPod | None = None,
) -> AsyncIterator[Stage]:
    """Open the service on a database and a cluster; it sweeps only when a test says so.

    `own_pod` is the pod that it takes for its own (None: it runs outside of the cluster).
    """
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(database_url, policy=POLICY))
        saver = await stack.enter_async_context(open_saver(database_url))
        reader = await stack.enter_async_context(Cluster.from_kubeconfig(front.reader_kubeconfig))
        writer = await stack.enter_async_context(Cluster.from_kubeconfig(front.writer_kubeconfig))
        toolbox = await stack.enter_async_context(Toolbox(_session(reader, "reader"), {}))
        session = await stack.enter_async_context(_session(writer, "writer"))
        executor = Executor(writer, session, ledger.approvals, refuse_object, pause_seconds=0.01)
        proposal_builder = ProposalBuilder(reader, executor, ledger.incidents, POLICY, own_pod=own_pod)
        nodes = Nodes(
            Investigation(ledger.incidents, toolbox, diagnostician or RunbookDiagnostician(), reader, POLICY),
            Remediation(ledger.incidents, ledger.approvals, proposal_builder, executor, POLICY),
            Conclusion(ledger.incidents, ledger.approvals, Verifier(reader)),
        )
        graph = build_graph(nodes, saver)
        runner = await stack.enter_async_context(Runner(graph, ledger, sweep_seconds=3600).started())
        editor = Editor(ledger, proposal_builder, POLICY)
        yield Stage(ledger, saver, graph, runner, toolbox, executor, editor, front)


def _is_approved(write: Write, approval: Approval) -> bool:
    """Whether a person approved exactly what was sent; the executor adds its guards to the metadata."""
    patch = approval.proposal.arguments.patch_data
    if not isinstance(patch, dict) or not isinstance(write.document, dict):
        return False
    said_yes = any(one.verdict == "approve" for one in approval.decisions)
    return said_yes and {**write.document, "metadata": 0} == {**patch, "metadata": 0}


def _session(cluster: Cluster, role: Role) -> ToolSession:
    """Return a session with our server in this process: a process per test would take most of the time."""
    return ToolSession(role, in_memory(lambda: build_server(cluster, role)))
