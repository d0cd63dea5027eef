"""`mendgate doctor` on the MCP servers: ours and the configured ones start, answer, and offer enough."""

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from api.config.settings import Settings
from api.doctor.check import Check, bounded, failed, listed, ok, skipped, warning
from api.reader.confinement import Confinements, confinements
from api.reader.tool_server import kubeconfig_for_readers, open_own_reader
from tools.errors import BadInput
from tools.kubernetes.patch import PatchArguments
from tools.mcp.session import ToolSession, kubernetes_tools
from tools.redaction.redactor import is_blanked, redact

if TYPE_CHECKING:
    from mcp.types import Tool

    from tools.mcp.config_file import McpConfig, ServerEntry

OWN_READER, OWN_WRITER, FILE = "MCP server: our reader", "MCP server: our writer", "MCP servers' file"
_FIX_OWN = "Fix the credential above first; if that is right, reinstall mendgate."
_FIX_ELSEWHERE = (
    "Start `mendgate reader` there, with the same secret in MENDGATE_READER_TOKEN_FILE; its log says why "
    "it doesn't answer."
)
_FIX_FILE = "Correct the file that MENDGATE_MCP_CONFIG names; docs/mcp-servers.md shows how it looks."
_FIX_CONFIGURED = "Start it by hand as the file says, and look at what it writes to stderr."
_FIX_PATCH = "Let it offer kubectl_patch (docs/mcp-servers.md), or take it out: ours can do it."
_PATCH = "kubectl_patch"
# As long as the service itself waits: a command that npm or Docker must fetch first takes its time.
SERVER_SECONDS = 30.0
_CLOSING_SECONDS = 5.0
_WIDELY_LISTED = 12


async def check_servers(settings: Settings) -> Sequence[Check]:
    """Return the checks of every MCP server that the service would start."""
    from tools.mcp.config_file import McpConfig, read_mcp_config

    broken: list[Check] = []
    config = McpConfig({})
    try:
        config = read_mcp_config(settings.mcp_config, os.environ)
    except BadInput as error:
        broken.append(failed(FILE, str(error), _FIX_FILE))
    try:
        confined = confinements(settings)
    except BadInput:  # the service doesn't start so: `check_confinement` says why
        return [skipped("MCP servers", "they may not start unconfined"), *broken]
    fix = _FIX_ELSEWHERE if settings.reader_url else _FIX_OWN
    own = [bounded(OWN_READER, _check_own_reader(settings, confined), fix, seconds=SERVER_SECONDS)]
    if settings.write_kubeconfig and not config.writers:
        work = _check_own_writer(settings, confined)
        own.append(bounded(OWN_WRITER, work, _FIX_OWN, seconds=SERVER_SECONDS))
    others = (_check_entry(settings, config, name, confined) for name in config.servers)
    return [*await asyncio.gather(*own, *others), *broken]


async def _check_own_reader(settings: Settings, confined: Confinements) -> Check:
    tools = await _ask(open_own_reader(settings, None, confined.reader))
    where = f"at {settings.reader_url} " if settings.reader_url else ""
    return ok(OWN_READER, f"{where}offers {listed(tools)}")


async def _check_own_writer(settings: Settings, confined: Confinements) -> Check:
    session = kubernetes_tools("writer", settings.write_kubeconfig, confinement=confined.writer)
    tools = await _ask(session)
    return _judge_writer(OWN_WRITER, tools)


async def _check_entry(settings: Settings, config: "McpConfig", server: str, confined: Confinements) -> Check:
    """Return the check of one configured server, without what its entry keeps secret."""
    name, entry = f"MCP server: {server}", config.servers[server]
    writes = entry.mendgate.role == "writer"
    if writes and settings.write_kubeconfig is None:
        text = "it would execute patches, but MENDGATE_WRITE_KUBECONFIG isn't set, so that it is never used"
        return warning(name, text, "Set MENDGATE_WRITE_KUBECONFIG, or take the server out of the file.")
    kubeconfig = settings.write_kubeconfig if writes else kubeconfig_for_readers(settings)
    try:
        session = entry.open(server, kubeconfig, confined.writer if writes else confined.reader)
    except BadInput as error:
        return failed(name, str(error), _FIX_FILE)
    work = _check_writer(name, session) if writes else _check_reader(name, server, entry, session, settings)
    found = await bounded(name, work, _FIX_CONFIGURED, seconds=SERVER_SECONDS)
    return found.without(_secrets(entry))


async def _check_writer(name: str, session: ToolSession) -> Check:
    return _judge_writer(name, await _ask(session))


async def _check_reader(
    name: str, server: str, entry: "ServerEntry", session: ToolSession, settings: Settings
) -> Check:
    """Return what of a server's tools the policy lets the model read through."""
    from api.config.policy_file import load_policy
    from graph.policy import refuse_tool
    from tools.mcp.toolbox import ToolOffer

    policy = load_policy(settings.policy)
    trusted = entry.mendgate.trust_read_only_hint
    readable, refused = list[str](), list[str]()
    for tool in (await _ask(session)).values():
        hint = bool(tool.annotations and tool.annotations.readOnlyHint)
        offer = ToolOffer(server, tool.name, "", tool.inputSchema, hint, trusted)
        (refused if refuse_tool(offer, policy) else readable).append(tool.name)
    without = f"; refused: {listed(refused)}" if refused else ""
    found = f"to read through: {listed(readable, _WIDELY_LISTED) or 'nothing'}{without}"
    if not readable:
        return warning(
            name, found, "Take it out of the file: docs/mcp-servers.md says what may be read through."
        )
    if settings.model is None:
        fix = "Set MENDGATE_MODEL if it is to be used: the runbooks read through our own server alone."
        return warning(name, f"{found}; but there is no model to use it", fix)
    return ok(name, found)


def _judge_writer(name: str, tools: "Mapping[str, Tool]") -> Check:
    patch = tools.get(_PATCH)
    if patch is None:
        return failed(name, f"it offers no {_PATCH}, only {listed(tools) or 'nothing'}", _FIX_PATCH)
    needed = (field.alias for field in PatchArguments.model_fields.values())
    taken = patch.inputSchema.get("properties") or ()
    lacking = [argument for argument in needed if argument not in taken]
    if lacking:
        return failed(name, f"its {_PATCH} takes no {listed(lacking)}", _FIX_PATCH)
    unused = len(tools) - 1
    more = f", and {unused} tools that are never called" if unused else ""
    return ok(name, f"offers {_PATCH}{more}")


async def _ask(session: ToolSession) -> "Mapping[str, Tool]":
    try:
        return await session.tools()
    finally:
        with contextlib.suppress(TimeoutError):  # a server that won't end mustn't keep the doctor
            async with asyncio.timeout(_CLOSING_SECONDS):
                await session.aclose()


def _secrets(entry: "ServerEntry") -> Iterator[str]:
    """Return what a server might repeat on stderr and nobody should see."""
    yield from entry.hidden
    yield from entry.headers.values()
    hidden = redact({"data": entry.env})["data"]
    yield from (value for name, value in entry.env.items() if is_blanked(hidden[name]))
