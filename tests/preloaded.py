"""What services are forked from: a process that has imported everything already.

Importing this module is for that process alone.
"""

import gc
import importlib
import os

_KEPT = frozenset({"HOME", "LANG", "PATH", "TMPDIR"})
_IMPORTED_WHEN_USED = (
    "tests.acceptance.lives", "tests.acceptance.replica_parts", "tests.acceptance.replicas",
    "tests.crash.service_process", "api.workers.audit_check", "api.notify.channels", "api.cli.main",
    "api.workers.retention", "api.reader.confinement", "api.cli.terminal.rendering", "api.notify.sender",
    "api.rest.proposal_editor", "api.observability.gauges", "api.observability.logs",
    "api.notify.config_file", "api.config.policy_file", "api.workers.alert_reconciler",
    "api.workers.queue_runner", "api.workers.local_runner", "api.serving.server",
    "api.observability.tracing", "api.workers.maintenance", "api.serving.wiring",
    "checkpoints.savers.fenced_postgres", "checkpoints.db.postgres", "checkpoints.queue.jobs",
    "checkpoints.savers.sqlite", "graph.builder", "graph.nodes", "graph.runbooks.diagnostician",
    "langchain_mcp_adapters.tools", "langgraph.checkpoint.postgres.aio", "lightkube.config.client_adapter",
    "mcp.client.stdio", "mcp.server.lowlevel", "mcp.shared.memory", "procrastinate", "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.aiosqlite", "tools.executor",
    "tools.mcp.session", "uvicorn.lifespan.off", "uvicorn.loops.auto", "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)  # fmt: skip

for name in frozenset(os.environ) - _KEPT:  # some modules look at it while they are imported
    del os.environ[name]
for name in _IMPORTED_WHEN_USED:
    importlib.import_module(name)
gc.freeze()  # what all share stays shared
