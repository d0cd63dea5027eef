"""Where victims are born: a process that has imported everything, and forks.

Importing this module is for that process alone.
"""

import gc
import importlib

_IMPORTED_WHEN_USED = (
    "tests.crash.victim", "api.audit_watch", "api.editing", "api.policy_file", "api.replica", "api.runner",
    "api.upkeep", "api.wiring", "checkpoints.fence", "checkpoints.queue",
    "checkpoints.postgres", "graph.builder", "graph.nodes", "graph.runbooks.mind",
    "langchain_mcp_adapters.tools", "langgraph.checkpoint.postgres.aio", "checkpoints.sqlite_saver",
    "lightkube.config.client_adapter", "mcp.server.lowlevel", "mcp.shared.memory",
    "psycopg_pool", "uvicorn.lifespan.off", "uvicorn.loops.auto", "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)  # fmt: skip

for name in _IMPORTED_WHEN_USED:
    importlib.import_module(name)
gc.freeze()  # what all share stays shared
