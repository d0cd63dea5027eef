"""`mendgate doctor` on the confinement of the tool servers that run here: what they can't open."""

import os
from collections.abc import Iterator

from api.config.settings import Settings
from api.doctor.check import Check, failed, listed, ok, warning
from api.reader.confinement import FIX, children, exposure, secrets, unconfined
from tools.confinement import landlock
from tools.confinement.kubeconfig_files import kubeconfig_files
from tools.errors import BadInput
from tools.mcp.config_file import McpConfig, read_mcp_config

CONFINEMENT = "tool servers"
_FIX_GAPS = "Name what else is secret in MENDGATE_HIDE_FROM_TOOLS, and see docs/security.md."
_HIDES_SIZES = 3
"""Before this version of Landlock a file that can't be opened can still be emptied."""


async def check_confinement(settings: Settings) -> Check:
    """Return whether the tool servers that run here are kept from what isn't theirs."""
    names = children(settings, _servers(settings))
    if not names:
        return ok(CONFINEMENT, "none runs here but our own writer")
    if why := unconfined(settings):
        found = f"{', '.join(names)}: not confined, since {why}. Each {exposure(settings)}"
        if settings.confine_tools == "require":
            return failed(CONFINEMENT, f"{found}. `mendgate serve` refuses to start", FIX)
        return warning(CONFINEMENT, found, FIX)
    if gaps := list(_gaps(settings)):
        return warning(CONFINEMENT, "confined, but " + "; ".join(gaps), _FIX_GAPS)
    return ok(
        CONFINEMENT,
        f"confined (Landlock {landlock.version()}): {listed(names)} can't open {_hidden(settings)}",
    )


def _hidden(settings: Settings) -> str:
    return ", ".join(secrets(settings))


def _gaps(settings: Settings) -> Iterator[str]:
    """Return what isn't hidden though it may matter."""
    writer = settings.write_kubeconfig
    if writer and not settings.reader_url and settings.kubeconfig and _same(settings.kubeconfig, writer):
        yield "KUBECONFIG and MENDGATE_WRITE_KUBECONFIG are one file, which readers need"
    if writer and (commands := kubeconfig_files(writer).commands):
        yield f"what {listed(commands)} reads to sign the writer in is open, as a cloud's credentials are"
    if landlock.version() < _HIDES_SIZES:
        yield "this kernel is older than 6.2: files can be emptied, though not read"


def _same(one: "os.PathLike[str]", other: "os.PathLike[str]") -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _servers(settings: Settings) -> McpConfig:
    try:
        return read_mcp_config(settings.mcp_config, os.environ)
    except BadInput:  # `check_servers` says so
        return McpConfig({})
