"""The composition root: opens what the service needs, hands it to those who need it, and closes it again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.settings import Settings
from checkpoints.ledger import Expiries, Ledger, open_ledger
from checkpoints.saver import open_saver

if TYPE_CHECKING:
    from api.runner import Runner
    from graph.nodes import Nodes


@dataclass(frozen=True)
class Service:
    """A running service: its memory, and the runner that works on it."""

    ledger: Ledger
    runner: "Runner"


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Open the service; its runner sweeps until the block ends."""
    from api.runner import Runner
    from graph.builder import build_graph

    async with AsyncExitStack() as stack:
        expiries = Expiries(decide_within=settings.decide_within, execute_within=settings.execute_within)
        ledger = await stack.enter_async_context(open_ledger(settings.database_url, expiries))
        saver = await stack.enter_async_context(open_saver(settings.database_url))
        graph = build_graph(await _open_nodes(stack, settings, ledger), saver)
        runner = await stack.enter_async_context(Runner(graph, ledger).started())
        yield Service(ledger, runner)


async def _open_nodes(stack: AsyncExitStack, settings: Settings, ledger: Ledger) -> "Nodes":
    from graph.conclusion import Conclusion
    from graph.investigation import Investigation
    from graph.nodes import Nodes
    from graph.planning import Windows
    from graph.policy import refuse_object
    from graph.remediation import Remediation
    from graph.runbooks.mind import RunbookMind
    from graph.verification import Verifier
    from tools.executor import Executor
    from tools.kubernetes import Cluster
    from tools.tool_session import kubernetes_tools

    observer = await stack.enter_async_context(Cluster.from_kubeconfig(settings.kubeconfig))
    # Named, so that a changed current-context can't lead one of the processes to another cluster.
    reading = observer.context if settings.kubeconfig else None
    reader = await stack.enter_async_context(kubernetes_tools("reader", settings.kubeconfig, reading))
    actuator = None
    if settings.write_kubeconfig:
        cluster = await stack.enter_async_context(Cluster.from_kubeconfig(settings.write_kubeconfig))
        writer = await stack.enter_async_context(
            kubernetes_tools("writer", settings.write_kubeconfig, cluster.context)
        )
        actuator = Executor(cluster, writer, ledger.approvals, refuse_object)
    windows = Windows(
        stable_seconds=settings.verify_window.total_seconds(),
        budget_seconds=settings.verify_budget.total_seconds(),
    )
    return Nodes(
        investigation=Investigation(ledger.incidents, reader, RunbookMind()),
        remediation=Remediation(ledger.incidents, ledger.approvals, observer, actuator, windows),
        conclusion=Conclusion(ledger.incidents, ledger.approvals, Verifier(observer)),
    )
