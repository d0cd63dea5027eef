"""Our MCP server: `python -m tools.mcp.server --role reader --kubeconfig PATH`, over stdio.

Tools and arguments are named as in npm's mcp-server-kubernetes, so that either can serve. One process holds
one credential and offers one role's tools: the reader's can't write, the writer's can do nothing but patch.
A failed call is a tool error whose text is `{"error": {"code", "reason", "message"}}`; `code` is the HTTP
status, 4xx if nothing was written, and null if there was no answer.
"""

import argparse
import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from tools.errors import BadInput, ClusterError, MendgateError, UnknownKind
from tools.kubernetes.client import Cluster
from tools.mcp.reader_tools import READER_TOOLS
from tools.mcp.tool_definition import OfferedTool
from tools.mcp.writer_tool import WRITER_TOOLS
from tools.redaction.redactor import redact_text

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult, Tool

Role = Literal["reader", "writer"]
# part of what an approval binds: raise it when a tool means something else than before
INTERFACE_VERSION = "1.0"
_TOOLS: dict[Role, tuple[OfferedTool, ...]] = {"reader": READER_TOOLS, "writer": WRITER_TOOLS}


def build_server(cluster: Cluster, role: Role) -> "Server[Any, Any]":
    """Return a server that offers one role's tools on a cluster; it doesn't close the cluster."""
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult, TextContent

    server: Server[Any, Any] = Server(f"mendgate-{role}", version=INTERFACE_VERSION)
    offered = {tool.name: tool for tool in _TOOLS[role]}

    async def list_tools() -> "list[Tool]":
        return [_announce(tool) for tool in offered.values()]

    async def call_tool(name: str, arguments: dict[str, Any]) -> "CallToolResult":
        text, failed = await _run(cluster, offered.get(name), name, arguments)
        return CallToolResult(content=[TextContent(type="text", text=text)], isError=failed)

    # the SDK's decorators and its check of arguments, whose errors would be plain words, are of no use here
    server.list_tools()(list_tools)  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    server.call_tool(validate_input=False)(call_tool)
    return server


def _announce(tool: OfferedTool) -> "Tool":
    from mcp.types import Tool, ToolAnnotations

    hints = ToolAnnotations(readOnlyHint=tool.read_only, destructiveHint=not tool.read_only)
    schema = tool.arguments.model_json_schema(by_alias=True)
    return Tool(name=tool.name, description=tool.description, inputSchema=schema, annotations=hints)


async def _run(
    cluster: Cluster, tool: OfferedTool | None, name: str, arguments: dict[str, Any]
) -> tuple[str, bool]:
    try:
        if tool is None:
            raise BadInput(f"there is no tool {name!r} here")
        return await tool.run(cluster, _parse(tool, arguments)), False
    except MendgateError as error:
        return _explain(error), True


def _parse(tool: OfferedTool, arguments: dict[str, Any]) -> Any:
    try:
        return tool.arguments.model_validate(arguments)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise BadInput(f"{tool.name} can't take these arguments: {'; '.join(faults)}") from error


def _explain(error: MendgateError) -> str:
    code, reason = 400, type(error).__name__
    if isinstance(error, ClusterError) and not isinstance(error, UnknownKind):
        return _error_json(error.code, error.reason or reason, str(error))
    return _error_json(code, reason, str(error))


def _error_json(code: int | None, reason: str, message: str) -> str:
    error = {"code": code, "reason": reason, "message": redact_text(message)}
    return json.dumps({"error": error}, ensure_ascii=False)


async def serve(cluster: Cluster, role: Role) -> None:
    """Serve over stdin and stdout until stdin closes."""
    from mcp.server.stdio import stdio_server

    server = build_server(cluster, role)
    async with cluster, stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.mcp.server", description="mendgate's MCP server")
    parser.add_argument("--role", choices=("reader", "writer"), required=True)
    parser.add_argument("--kubeconfig", type=Path, help="default: the pod's ServiceAccount")
    parser.add_argument("--context", help="default: the kubeconfig's current one")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)  # to stderr: stdout is the protocol's
    try:
        cluster = Cluster.from_kubeconfig(options.kubeconfig, context=options.context)
    except BadInput as error:
        parser.exit(2, f"{error}\n")
    asyncio.run(serve(cluster, options.role))


if __name__ == "__main__":
    main()
