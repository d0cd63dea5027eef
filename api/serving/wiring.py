"""The composition root: opens what the service needs, hands it to those who need it, and closes it again."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.config.settings import Settings
from api.observability.metrics import Metrics
from checkpoints.alerts.correlation import IncidentRateLimit
from checkpoints.db.engine import is_postgres, parse_url
from checkpoints.db.file_lock import hold_database
from checkpoints.ledger import Ledger, open_ledger
from checkpoints.savers.opening import open_saver

if TYPE_CHECKING:
    from langchain_core.callbacks import BaseCallbackHandler
    from langgraph.graph.state import CompiledStateGraph

    from api.notify.sender import NotificationSender
    from api.observability.spans import Traces
    from api.rest.proposal_editor import Editor
    from api.workers.alert_reconciler import Reconciler
    from api.workers.local_runner import Runner
    from api.workers.maintenance import MaintenanceLoop
    from api.workers.queue_runner import Replica
    from checkpoints.queue.jobs import HeartbeatSettings
    from graph.builder import Nodes
    from graph.policy import Policy
    from graph.ports import Diagnostician, PauseAnswerHandler, ReportAuthor
    from graph.state import IncidentState, RunContext
    from tools.confinement.plan import Confinement
    from tools.executor import Executor
    from tools.kubernetes.client import Cluster
    from tools.mcp.config_file import McpConfig
    from tools.mcp.toolbox import Toolbox
    from tools.registry.client import RegistryReader


@dataclass(frozen=True)
class Service:
    """A service: its memory, what works on it once started, and the way to edit a proposal."""

    ledger: Ledger
    runner: "Runner | Replica"
    upkeep: "MaintenanceLoop"
    reconciler: "Reconciler"
    notification_sender: "NotificationSender"
    editor: "Editor | None"
    metrics: Metrics
    traces: "Traces | None"

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run incidents, and do what time brings about, until the block ends; then put the runs down."""
        async with (
            self.runner.started(),
            self.upkeep.started(),
            self.reconciler.started(),
            self.notification_sender.started(),
        ):
            yield


@asynccontextmanager
async def open_service(
    settings: Settings, heartbeat: "HeartbeatSettings | None" = None
) -> AsyncIterator[Service]:
    """Open the service. It doesn't work yet. `pulse` is that of replicas on Postgres (None: usual).

    Raises `DatabaseHeld` where another process has its SQLite file, `AuditUnusable` where the audit's key
    isn't the one that belongs to the database, and `PolicyUnusable` or another `BadInput` for a file that
    can't be used.
    """
    from api.config.policy_file import load_policy
    from api.notify.channels import open_channels
    from api.notify.config_file import load_channels
    from api.notify.sender import NotificationSender
    from api.observability.gauges import Gauges
    from api.observability.tracing import open_traces
    from api.workers.alert_reconciler import open_reconciler
    from api.workers.audit_check import watching
    from api.workers.maintenance import MaintenanceLoop
    from api.workers.retention import retention_job
    from checkpoints.incidents.retention import Keep
    from graph.builder import build_graph

    async with AsyncExitStack() as stack:
        stack.enter_context(hold_database(settings.database_url, "mendgate serve"))
        pace = IncidentRateLimit(settings.cool_down, settings.runs_per_hour)
        policy = load_policy(settings.policy)
        metrics = Metrics()
        channels = load_channels(settings.notify)
        routes = await stack.enter_async_context(open_channels(channels, os.environ))
        opening = open_ledger(
            settings.database_url, settings.audit_key, policy, pace,
            tell=metrics.note, subscribers=[channel.subscriber for channel in channels],
        )  # fmt: skip
        ledger = await stack.enter_async_context(opening)
        if settings.start_stopped:
            await ledger.stops.start_stopped()
        saver = await stack.enter_async_context(open_saver(settings.database_url))
        await stack.enter_async_context(watching(ledger.audit, ledger.stops.doubt, metrics.note_audit))
        nodes = await open_nodes(stack, settings, ledger)
        traces = await stack.enter_async_context(open_traces(settings.otel_exporter_otlp_endpoint))
        graph = build_graph(nodes, saver).with_config(callbacks=_listeners(metrics, traces))
        runner = await _open_runner(stack, settings, ledger, graph, heartbeat)
        gauges = Gauges(ledger.counts, runner)
        metrics.watch(gauges, gauges.refresh)
        upkeep = MaintenanceLoop(ledger, nodes.investigation.cluster_reader, runner.wake)
        keep = Keep(settings.retention_checkpoints, settings.retention_evidence, settings.retention_webhooks)
        await stack.enter_async_context(retention_job(ledger.retention, keep))
        reconciler = await stack.enter_async_context(open_reconciler(settings, ledger, runner.wake))
        notification_sender = NotificationSender(ledger.outbox, routes, settings.public_url)
        yield Service(
            ledger,
            runner,
            upkeep,
            reconciler,
            notification_sender,
            editor_for(nodes, ledger),
            metrics,
            traces,
        )


def _listeners(metrics: Metrics, traces: "Traces | None") -> "list[BaseCallbackHandler]":
    """Return who hears of the calls that runs make."""
    from api.observability.call_metrics import CallWatch

    if traces is None:
        return [CallWatch(metrics)]
    from api.observability.span_callbacks import SpanRecorder

    return [CallWatch(metrics), SpanRecorder(traces)]


async def _open_runner(
    stack: AsyncExitStack,
    settings: Settings,
    ledger: Ledger,
    graph: "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]",
    heartbeat: "HeartbeatSettings | None",
) -> "Runner | Replica":
    if not is_postgres(parse_url(settings.database_url)):
        from api.workers.local_runner import Runner

        return Runner(graph, ledger)
    from api.workers.queue_runner import Replica
    from checkpoints.queue.jobs import HeartbeatSettings, open_queue

    queue = await stack.enter_async_context(
        open_queue(settings.database_url, heartbeat or HeartbeatSettings())
    )
    return Replica(graph, ledger, queue)


def editor_for(nodes: "Nodes", ledger: Ledger) -> "Editor | None":
    """Return who makes edited proposals, under the same policy; None where nothing can be written."""
    from api.rest.proposal_editor import Editor

    proposal_builder = nodes.remediation.proposal_builder
    return Editor(ledger, proposal_builder, ledger.policy) if proposal_builder else None


async def open_nodes(
    stack: AsyncExitStack, settings: Settings, ledger: Ledger, desk: "PauseAnswerHandler | None" = None
) -> "Nodes":
    """Return the graph's nodes with their collaborators, which close with the stack.

    No request is made and no process started yet. `desk` takes answers in LangGraph Studio's dev mode.
    Raises `BadInput` for a kubeconfig or an `mcpServers` file that can't be used, and where tool servers must
    be confined and can't be.
    """
    from api.reader.confinement import confine
    from graph.builder import Nodes
    from graph.cluster.verification import Verifier
    from graph.nodes.conclusion import Conclusion
    from graph.nodes.investigation import Investigation
    from graph.nodes.remediation import Remediation
    from graph.proposals.drafting import ProposalBuilder
    from graph.safety.own_objects import OwnPod
    from tools.kubernetes.client import Cluster
    from tools.mcp.config_file import read_mcp_config

    servers = read_mcp_config(settings.mcp_config, os.environ)
    confined = confine(settings, servers)
    cluster_reader = await stack.enter_async_context(Cluster.from_kubeconfig(settings.kubeconfig))
    toolbox = await stack.enter_async_context(_toolbox(settings, cluster_reader, servers, confined.reader))
    executor = await _open_executor(stack, settings, ledger, servers, confined.writer)
    policy = ledger.policy
    proposal_builder = None
    if executor:
        own_pod = OwnPod.of(os.environ)
        proposal_builder = ProposalBuilder(
            cluster_reader, executor, ledger.incidents, policy, _registry(settings), own_pod
        )
    diagnostician, author = await _open_minds(stack, settings, toolbox, policy)
    return Nodes(
        investigation=Investigation(ledger.incidents, toolbox, diagnostician, cluster_reader, policy),
        remediation=Remediation(
            ledger.incidents,
            ledger.approvals,
            proposal_builder,
            executor,
            policy,
            desk=desk,
            cluster_reader=cluster_reader,
        ),
        conclusion=Conclusion(
            ledger.incidents, ledger.approvals, Verifier(cluster_reader), author, settings.language
        ),
    )


def _toolbox(
    settings: Settings, cluster_reader: "Cluster", servers: "McpConfig", confinement: "Confinement | None"
) -> "Toolbox":
    from api.reader.tool_server import kubeconfig_for_readers, open_own_reader
    from tools.mcp.toolbox import Toolbox

    # Named, so that a changed current-context can't lead one of the processes to another cluster.
    context = cluster_reader.context if settings.kubeconfig else None
    own = open_own_reader(settings, context, confinement)
    if not settings.model:  # nobody would ask the others
        return Toolbox(own)
    return Toolbox(own, servers.open_readers(kubeconfig_for_readers(settings), confinement))


def _registry(settings: Settings) -> "RegistryReader | None":
    from tools.registry.allow_list_http import Registries
    from tools.registry.client import RegistryReader

    return RegistryReader(Registries.read(settings.registries)) if settings.registries else None


async def _open_executor(
    stack: AsyncExitStack,
    settings: Settings,
    ledger: Ledger,
    servers: "McpConfig",
    confinement: "Confinement | None",
) -> "Executor | None":
    from graph.policy import refuse_object
    from tools.executor import Executor
    from tools.kubernetes.client import Cluster
    from tools.mcp.session import kubernetes_tools

    path = settings.write_kubeconfig
    if path is None:
        return None
    cluster = await stack.enter_async_context(Cluster.from_kubeconfig(path))
    session = servers.open_writer(path, confinement) or kubernetes_tools(
        "writer", path, cluster.context, confinement=confinement
    )
    writer = await stack.enter_async_context(session)
    return Executor(cluster, writer, ledger.approvals, refuse_object)


async def _open_minds(
    stack: AsyncExitStack, settings: Settings, toolbox: "Toolbox", policy: "Policy"
) -> "tuple[Diagnostician, ReportAuthor | None]":
    """Return who diagnoses, and who adds to reports, if anybody."""
    from graph.runbooks.diagnostician import RunbookDiagnostician

    runbooks = RunbookDiagnostician()
    if settings.model is None:
        return runbooks, None
    from graph.llm import Author, Bounds, ModelDiagnostician
    from tools.llm.client import ChatModel

    model = await stack.enter_async_context(
        ChatModel(
            settings.model,
            base_url=settings.openai_base_url,
            api_key=settings.openai_api_key,
            timeout_seconds=settings.model_timeout.total_seconds(),
        )
    )
    bounds = Bounds(
        most_calls=settings.model_calls,
        most_tokens=settings.model_tokens,
        most_seconds=settings.model_budget.total_seconds(),
        answer_seconds=2 * settings.model_timeout.total_seconds(),
    )
    diagnostician = ModelDiagnostician(model, toolbox, runbooks, bounds, settings.language, policy)
    return diagnostician, Author(model, bounds, settings.language)
