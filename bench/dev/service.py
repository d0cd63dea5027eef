"""mendgate's graph with instant tools for LangGraph's dev server, where answers decide as in dev mode.

The ledger is a SQLite file in the working directory; threads and checkpoints are the dev server's own.
"""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.studio.decisions import StudioPauseAnswerHandler
from bench.instant import POLICY, InstantCluster, InstantMind, make_nodes
from checkpoints.ledger import open_ledger
from graph.builder import build_graph
from graph.policy import parse_policy

os.environ["LANGGRAPH_ALLOW_BLOCKING"] = "true"  # as in api/studio/app.py, for the migrations


@asynccontextmanager
async def _open(app: Starlette) -> AsyncIterator[None]:
    policy = parse_policy(POLICY, "bench.yaml")
    async with open_ledger("sqlite+aiosqlite:///ledger.db", policy=policy) as ledger:
        app.state.nodes = make_nodes(
            ledger, InstantMind(), InstantCluster(), StudioPauseAnswerHandler(ledger)
        )
        yield


async def _tell_usage(_: Request) -> JSONResponse:
    return JSONResponse({"cpu": time.process_time()})


app = Starlette(lifespan=_open, routes=[Route("/usage", _tell_usage)])


async def graph() -> Any:
    """Return the graph; the dev server asks for it at every run."""
    return build_graph(app.state.nodes)
