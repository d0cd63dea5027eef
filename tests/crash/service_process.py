"""A service to be killed: the real one, in a process forked from one that has imported everything already.

Only its MCP servers run inside it: to start two Python processes anew for each of its lives would cost more
than all the rest. That they die on their own is tested elsewhere.
"""

import asyncio
import logging
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import tools.mcp.session
from api.config.settings import Settings
from api.serving.server import serving
from checkpoints.queue.jobs import HeartbeatSettings
from tests.crash.boundaries import Kill
from tools.confinement.plan import Confinement
from tools.kubernetes.client import Cluster
from tools.mcp.server import build_server
from tools.mcp.session import ToolSession
from tools.mcp.transports import in_memory

# A killed replica's jobs are taken over within seconds.
_PULSE = HeartbeatSettings(beat_seconds=0.5, dead_seconds=4.0, sweep_seconds=1.0)


def live(settings: Settings, kill: Kill | None, log: Path, say: Connection) -> None:
    """Serve until somebody kills this process; say the URL once requests are answered."""
    logging.basicConfig(filename=log, level=logging.INFO, force=True)
    # Clients needn't load all authorities of the world, four times a life: the sandbox speaks plain HTTP.
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = str(log.parent)
    tools.mcp.session.kubernetes_tools = _tools_inside  # type: ignore[assignment]  # the same but its timeout
    if kill:
        kill.arm()
    asyncio.run(_serve(settings, say))


async def _serve(settings: Settings, say: Connection) -> None:
    async with serving(settings, _PULSE) as url:
        say.send(url)
        await asyncio.Event().wait()


def _tools_inside(
    role: Literal["reader", "writer"],
    kubeconfig: Path | None,
    context: str | None = None,
    *,
    confinement: Confinement | None = None,
) -> ToolSession:
    cluster = Cluster.from_kubeconfig(kubeconfig, context=context)
    return ToolSession(f"kubernetes-{role}", in_memory(lambda: build_server(cluster, role)))
