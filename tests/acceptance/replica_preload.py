"""Loads what a replica needs, once, in the process that replicas are forked from."""

import langgraph.checkpoint.postgres.aio
import lightkube
import mcp
import procrastinate
import sqlalchemy.dialects.postgresql.psycopg
import uvicorn

import api.app
import api.replica
import api.server
import api.wiring
import checkpoints.fence
import checkpoints.queue
import graph.builder
import graph.runbooks.mind
import tools.executor
import tools.tool_session

__all__ = [
    "api",
    "checkpoints",
    "graph",
    "langgraph",
    "lightkube",
    "mcp",
    "procrastinate",
    "sqlalchemy",
    "tools",
    "uvicorn",
]
