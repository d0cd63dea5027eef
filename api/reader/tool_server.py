"""Where our reading tools run: here, as a child, or elsewhere, behind a URL."""

from pathlib import Path
from typing import TYPE_CHECKING

from api.config.settings import Settings
from tools.errors import BadInput

if TYPE_CHECKING:
    from tools.confinement.plan import Confinement
    from tools.mcp.session import ToolSession


def open_own_reader(
    settings: Settings, context: str | None, confinement: "Confinement | None"
) -> "ToolSession":
    """Return a session with our reading tools. Raises `BadInput` for settings that don't go together."""
    if settings.reader_url is None:
        from tools.mcp.session import kubernetes_tools

        return kubernetes_tools("reader", settings.kubeconfig, context, confinement=confinement)
    from tools.mcp.http_server import reader_over_http

    return reader_over_http(settings.reader_url, require_reader_token(settings), settings.reader_ca)


def kubeconfig_for_readers(settings: Settings) -> Path | None:
    """Return the kubeconfig that children that read are given.

    None where our reading tools run elsewhere: what this process reads with may be able to write then.
    """
    return None if settings.reader_url else settings.kubeconfig


def require_reader_token(settings: Settings) -> Path:
    """Return the file of the secret that is shared with the reader. Raises `BadInput` where none is set."""
    if settings.reader_token_file is None:
        raise BadInput(
            "MENDGATE_READER_TOKEN_FILE isn't set: the reader lets in only who knows the secret in that file"
        )
    return settings.reader_token_file
