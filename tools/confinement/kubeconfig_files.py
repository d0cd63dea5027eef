"""What a kubeconfig leads to: the files with its credentials, and the commands that fetch some."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CREDENTIALS = ("client-certificate", "client-key", "tokenFile")
_AUTHORITY = "certificate-authority"


@dataclass(frozen=True)
class KubeconfigFiles:
    """The files of one kubeconfig, absolute. What the `commands` read is known to them alone."""

    config: Path
    credentials: tuple[Path, ...] = ()
    authorities: tuple[Path, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def secret(self) -> tuple[Path, ...]:
        """The files that let who reads them act with this credential."""
        return (self.config, *self.credentials)

    @property
    def all(self) -> tuple[Path, ...]:
        """The files that are needed to use it."""
        return (*self.secret, *self.authorities)


def kubeconfig_files(path: Path) -> KubeconfigFiles:
    """Return the files of a kubeconfig; of one that can't be read, its own path."""
    import yaml

    path = path.expanduser().absolute()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return KubeconfigFiles(path)
    users, clusters = _bodies(document, "users", "user"), _bodies(document, "clusters", "cluster")
    commands = [body["exec"].get("command") for body in users if isinstance(body.get("exec"), dict)]
    return KubeconfigFiles(
        path,
        tuple(path.parent / found for body in users for found in _texts(body, *_CREDENTIALS)),
        tuple(path.parent / found for body in clusters for found in _texts(body, _AUTHORITY)),
        tuple(command for command in commands if isinstance(command, str)),
    )


def _bodies(document: Any, plural: str, single: str) -> list[dict[str, Any]]:
    entries = document.get(plural) if isinstance(document, dict) else None
    listed = entries if isinstance(entries, list) else []
    bodies = [one.get(single) for one in listed if isinstance(one, dict)]
    return [body for body in bodies if isinstance(body, dict)]


def _texts(body: dict[str, Any], *names: str) -> Iterator[str]:
    yield from (body[name] for name in names if isinstance(body.get(name), str))
