"""What the tool servers that run here must not see, by the settings, and whether they can be kept from it."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.config.settings import ENV_FILE, Settings
from api.notify.config_file import load_channels
from checkpoints.audit.key_files import Keeper
from checkpoints.db.engine import is_postgres, parse_url, sqlite_path
from tools.confinement import landlock
from tools.confinement.kubeconfig_files import KubeconfigFiles, kubeconfig_files
from tools.confinement.plan import Confinement
from tools.errors import BadInput
from tools.mcp.toolbox import OWN_SERVER

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from tools.mcp.config_file import McpConfig

log = logging.getLogger(__name__)
_KUBECONFIGS = Path("~/.kube")
_LIBPQ_FILES = ("~/.pgpass", "~/.pg_service.conf", "~/.postgresql")
_LIBPQ_VARIABLES = ("PGPASSFILE", "PGSERVICEFILE", "PGSSLKEY")
_LIBPQ_PARAMETERS = ("passfile", "sslkey")
FIX = (
    "Run the service on Linux 5.13 or later with Landlock, or the reading tools elsewhere "
    "(MENDGATE_READER_URL): docs/security.md."
)


@dataclass(frozen=True)
class Confinements:
    """How the children that read and the one that writes are confined. None: they aren't."""

    reader: Confinement | None
    writer: Confinement | None


def confine(settings: Settings, servers: "McpConfig") -> Confinements:
    """Return how children are confined, and warn of each that isn't.

    Raises `BadInput` where they must be and can't be.
    """
    confined = confinements(settings)
    if confined.reader is None and (names := children(settings, servers)):
        log.warning(
            "tool servers aren't confined, since %s. Each of them (%s) %s. %s",
            unconfined(settings), ", ".join(names), exposure(settings), FIX,
        )  # fmt: skip
    return confined


def children(settings: Settings, servers: "McpConfig") -> tuple[str, ...]:
    """Return the tool servers that run as children of the service, but for our own writer."""
    own = () if settings.reader_url else (OWN_SERVER,)
    return (*own, *(name for name, entry in servers.servers.items() if entry.command))


def confinements(settings: Settings) -> Confinements:
    """Return how children are confined. Raises `BadInput` where they must be and can't be."""
    why = unconfined(settings)
    if why and settings.confine_tools == "require":
        raise BadInput(
            f"tool servers can't be confined, since {why}, and MENDGATE_CONFINE_TOOLS is `require`: "
            f"{FIX[0].lower()}{FIX[1:]}"
        )
    if why:
        return Confinements(None, None)
    pen = _writers_files(settings)
    others = frozenset(path for paths in _own_secrets(settings).values() for path in paths)
    return Confinements(
        reader=_confine(others | set(pen.secret if pen else ()), readers_files(settings)),
        writer=_confine(others, pen),
    )


def unconfined(settings: Settings) -> str:
    """Return why children aren't confined; empty where they are."""
    if settings.confine_tools == "off":
        return "MENDGATE_CONFINE_TOOLS is `off`"
    return "" if landlock.version() else "this system has no Landlock"


def secrets(settings: Settings) -> Mapping[str, tuple[Path, ...]]:
    """Return the files that no child that reads may open, by what they are."""
    pen = _writers_files(settings)
    return ({"the writer's credential": pen.secret} if pen else {}) | _own_secrets(settings)


def exposure(settings: Settings) -> str:
    """Return what a child can do that isn't confined, in one line."""
    found = (f"{name} ({', '.join(map(str, paths))})" for name, paths in secrets(settings).items())
    memory = "read this process's memory and environment, and " if os.geteuid() == 0 else ""
    return f"can {memory}open {'; '.join(found)}"


def readers_files(settings: Settings) -> KubeconfigFiles | None:
    """Return the files of the credential that children read with.

    None: the pod's ServiceAccount, or no credential: where our tools run elsewhere, `KUBECONFIG` is for this
    process alone.
    """
    if settings.reader_url or settings.kubeconfig is None:
        return None
    return kubeconfig_files(settings.kubeconfig)


def _writers_files(settings: Settings) -> KubeconfigFiles | None:
    return kubeconfig_files(settings.write_kubeconfig) if settings.write_kubeconfig else None


def _confine(hidden: Iterable[Path], needed: KubeconfigFiles | None) -> Confinement:
    shown = frozenset(needed.all if needed else ())
    return Confinement(frozenset(hidden) - shown, shown)


def _own_secrets(settings: Settings) -> dict[str, tuple[Path, ...]]:
    address = parse_url(settings.database_url)
    key = settings.audit_key.absolute()
    head = Keeper(key).head_path
    named: dict[str, Iterable[Path | None]] = {
        "the tokens file": (settings.tokens,),
        "the audit's key and newest row": (key, head),
        "the database": () if is_postgres(address) else (sqlite_path(address),),
        "what signs in to the database": _postgres_files(address) if is_postgres(address) else (),
        "the settings file": (Path(ENV_FILE),),
        "other secrets' files": (
            settings.notify, settings.mcp_config, settings.alertmanager_secret_file,
            settings.reader_token_file, settings.tls_key, *_channels_files(settings),
        ),
        "other kubeconfigs": (
            _KUBECONFIGS.expanduser(), settings.kubeconfig if settings.reader_url else None,
        ),
        "what MENDGATE_HIDE_FROM_TOOLS names": settings.hide_from_tools,
    }  # fmt: skip
    given = {name: tuple(path.absolute() for path in paths if path) for name, paths in named.items()}
    return {name: paths for name, paths in given.items() if paths}


def _postgres_files(address: "URL") -> Iterator[Path]:
    """Yield where Postgres' own library looks for a password or a key, which the URL then lacks."""
    yield from (Path(name).expanduser() for name in _LIBPQ_FILES)
    named = (os.environ.get(variable) for variable in _LIBPQ_VARIABLES)
    in_url = (address.query.get(name) for name in _LIBPQ_PARAMETERS)
    yield from (Path(name).expanduser() for name in (*named, *in_url) if isinstance(name, str) and name)


def _channels_files(settings: Settings) -> tuple[Path, ...]:
    try:
        return tuple(path for channel in load_channels(settings.notify) for path in channel.files)
    except BadInput:  # the service refuses to start with it, and the doctor names the mistake
        return ()
