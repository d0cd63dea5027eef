"""LangGraph Studio's way in: the service's graph on a scratch ledger, for `langgraph dev` (`langgraph.json`).

That server brings its own checkpointer and an HTTP port without a password. So nothing here touches the
service's database, and answers decide only in dev mode, against the sandbox or one named context.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.config.policy_file import load_policy
from api.config.settings import Settings, load_settings
from api.rest.problems import answer_error
from api.rest.schemas import ApprovalView
from api.serving.wiring import editor_for, open_nodes
from api.studio.decisions import StudioPauseAnswerHandler
from api.studio.origins import LOOPBACK_ONLY
from checkpoints.approvals.store import ApprovalNotFound
from checkpoints.db.file_lock import hold_database
from checkpoints.ledger import open_ledger
from tools.errors import BadInput

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from graph.builder import Nodes
    from graph.state import IncidentState, RunContext

# The dev server refuses every read of a local file inside its loop. Ours are few and short: the migrations
# and the kubeconfigs, when it starts. This is what its own option --allow-blocking sets.
os.environ["LANGGRAPH_ALLOW_BLOCKING"] = "true"

SCRATCH = Path(".langgraph_api/mendgate.db")
"""Where the incidents of Studio are kept, beside what `langgraph dev` keeps itself."""


@asynccontextmanager
async def _open(app: Starlette) -> AsyncIterator[None]:
    settings = load_settings()
    async with AsyncExitStack() as stack:
        app.state.nodes = await open_studio(stack, settings)
        yield


async def read_approval(request: Request) -> Response:
    """Show an approval of the scratch ledger, where `x_approval.url` of a pause leads."""
    nodes: Nodes = request.app.state.nodes
    try:
        found = await nodes.remediation.approvals.find(request.path_params["approval_id"])
    except ApprovalNotFound as error:
        return answer_error(error)
    return JSONResponse(ApprovalView.of(found).model_dump(mode="json"))


app = Starlette(
    lifespan=_open, middleware=LOOPBACK_ONLY, routes=[Route("/v1/approvals/{approval_id}", read_approval)]
)


async def graph() -> "CompiledStateGraph[IncidentState, RunContext, IncidentState, IncidentState]":
    """Return the graph. It is asked for at every run and for every look at its shape, so it opens nothing."""
    from graph.builder import build_graph

    return build_graph(app.state.nodes)


async def open_studio(stack: AsyncExitStack, settings: Settings) -> "Nodes":
    """Return the graph's nodes on the scratch ledger. Raises `BadInput` where dev mode may not start."""
    SCRATCH.parent.mkdir(exist_ok=True)
    policy = load_policy(settings.policy)
    url = f"sqlite+aiosqlite:///{SCRATCH}"
    stack.enter_context(hold_database(url, "langgraph dev"))
    ledger = await stack.enter_async_context(open_ledger(url, policy=policy))
    desk = StudioPauseAnswerHandler(ledger) if settings.dev_mode else None
    nodes = await open_nodes(stack, settings, ledger, desk)
    if desk:
        await _require_harmless(settings)
        desk.editor = editor_for(nodes, ledger)
    return nodes


async def _require_harmless(settings: Settings) -> None:
    """Raise `BadInput` unless both credentials lead to the sandbox or to the context named for dev mode.

    Without a credential that writes there is nothing to be harmed by it.
    """
    from tools.kubernetes.client import Cluster

    credentials = [settings.kubeconfig, settings.write_kubeconfig]
    for path in credentials if settings.write_kubeconfig else credentials[:1]:
        async with Cluster.from_kubeconfig(path) as cluster:
            if cluster.context == settings.dev_context or await cluster.is_sandbox():
                continue
            raise BadInput(
                f"MENDGATE_DEV_MODE lets anybody who reaches this port change the cluster of context "
                f"{cluster.context!r}: use the sandbox (`mendgate sandbox`), or name that context in "
                "MENDGATE_DEV_CONTEXT"
            )
