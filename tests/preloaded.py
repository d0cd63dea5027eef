"""What services are forked from: a process that has imported everything already.

Importing this module is for that process alone.
"""

import gc
import importlib
import os

_KEPT = frozenset({"HOME", "LANG", "PATH", "TMPDIR"})
_IMPORTED_WHEN_USED = (
    "tests.acceptance.lives", "tests.acceptance.replica_parts", "tests.acceptance.replicas",
    "tests.crash.victim", "api.audit_watch", "api.channels", "api.cli", "api.clearing", "api.confining",
    "api.console", "api.courier", "api.editing", "api.gauges", "api.logs", "api.notify_file",
    "api.policy_file", "api.reconciler", "api.replica", "api.runner", "api.server", "api.traces",
    "api.upkeep", "api.wiring", "checkpoints.fence", "checkpoints.postgres", "checkpoints.queue",
    "checkpoints.sqlite_saver", "graph.builder", "graph.nodes", "graph.runbooks.mind",
    "langchain_mcp_adapters.tools", "langgraph.checkpoint.postgres.aio", "lightkube.config.client_adapter",
    "mcp.client.stdio", "mcp.server.lowlevel", "mcp.shared.memory", "procrastinate", "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.aiosqlite", "tools.executor",
    "tools.tool_session", "uvicorn.lifespan.off", "uvicorn.loops.auto", "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)  # fmt: skip

for name in frozenset(os.environ) - _KEPT:  # some modules look at it while they are imported
    del os.environ[name]
for name in _IMPORTED_WHEN_USED:
    importlib.import_module(name)
gc.freeze()  # what all share stays shared
