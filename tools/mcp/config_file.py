"""The usual `mcpServers` file, as other MCP clients write it: more servers to read through, and one to write.

A key of our own per server says what it is for: `"mendgate": {"role": "reader" | "writer",
"trustReadOnlyHint": false, "writes": []}`. Without it a server is a reader, its word for what only reads
doesn't count, and it writes no files but temporary ones.
Keys that other clients use and we don't know are passed over.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from tools.confinement.kubeconfig_files import kubeconfig_files
from tools.confinement.plan import Confinement
from tools.errors import BadInput
from tools.mcp.session import ToolSession
from tools.mcp.toolbox import OWN_SERVER, Source
from tools.mcp.transports import RemoteServer, StdioServer
from tools.redaction.redactor import redact_text

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHORTEST_SECRET = 6
_EXPANDED = ("command", "args", "env", "url", "headers")
_STREAMED = frozenset({"", "http", "streamable-http", "streamable_http", "streamableHttp"})


class Purpose(BaseModel):
    """What a server is for."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    role: Literal["reader", "writer"] = "reader"
    trust_read_only_hint: bool = False
    writes: tuple[Path, ...] = ()
    """Folders that it may write files in, such as `~/.npm` for npx."""


class ServerEntry(BaseModel):
    """One entry of the file: a command to start, or a URL."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    cwd: Path | None = None
    url: AnyHttpUrl | None = None
    headers: dict[str, str] = {}
    type: str = ""
    transport: str = ""
    mendgate: Purpose = Purpose()
    label: str = ""
    hidden: Annotated[tuple[str, ...], Field(repr=False)] = ()
    """The values that variables stood for: they may be secret."""

    @model_validator(mode="after")
    def _require_one_way(self) -> "ServerEntry":
        if bool(self.command) == bool(self.url):
            raise ValueError("give either a command to start or a url")
        if self.url and self._spoken not in {*_STREAMED, "sse"}:
            raise ValueError(f"type {self._spoken!r} isn't spoken here: use http or sse")
        return self

    @property
    def _spoken(self) -> str:
        return self.transport or self.type

    def open(self, name: str, kubeconfig: Path | None, confinement: Confinement | None = None) -> ToolSession:
        """Return a session with the server, which the first call will start.

        A child gets `KUBECONFIG` unless its `env` names one, and nothing else that isn't in `env`. It is
        shown the files of the one that `env` names, and may write where the file says.
        """
        if self.url:
            return ToolSession(name, self._remote(str(self.url)))
        assert self.command, "an entry is a command or a url"
        given = {"KUBECONFIG": str(kubeconfig.absolute())} if kubeconfig else {}
        child = StdioServer(
            self.command, self.args, given | self.env, self.cwd, self.label, self.hidden,
            confinement and self._widen(confinement),
        )  # fmt: skip
        return ToolSession(name, child)

    def _widen(self, confinement: Confinement) -> Confinement:
        named = self.env.get("KUBECONFIG")
        files = kubeconfig_files(Path(named)).all if named else ()
        folders = [folder.expanduser().absolute() for folder in self.mendgate.writes]
        return confinement.showing(files).writing(folders)

    def _remote(self, url: str) -> RemoteServer:
        if self._spoken == "sse":
            return RemoteServer(url, "sse", self.headers, self.label)
        return RemoteServer(url, "streamable_http", self.headers, self.label)


@dataclass(frozen=True)
class McpConfig:
    """The servers of a file, in its order."""

    servers: Mapping[str, ServerEntry]

    def open_readers(
        self, kubeconfig: Path | None, confinement: Confinement | None = None
    ) -> dict[str, Source]:
        """Return the servers to read through, not started yet; `kubeconfig` is the reader's."""
        return {
            name: Source(
                entry.open(name, kubeconfig, confinement), trusted=entry.mendgate.trust_read_only_hint
            )
            for name, entry in self.servers.items()
            if entry.mendgate.role == "reader"
        }

    def open_writer(self, kubeconfig: Path, confinement: Confinement | None = None) -> ToolSession | None:
        """Return the server that executes approved patches, if the file names one."""
        name = next(iter(self.writers), None)
        return self.servers[name].open(name, kubeconfig, confinement) if name else None

    @property
    def writers(self) -> tuple[str, ...]:
        """The names of the servers that may be asked to patch."""
        return tuple(name for name, entry in self.servers.items() if entry.mendgate.role == "writer")


def read_mcp_config(path: Path | None, environment: Mapping[str, str]) -> McpConfig:
    """Read an `mcpServers` file; `${NAME}` and `${NAME:-default}` in it stand for the environment's values.

    `path` None means no further servers. Raises `BadInput` naming the file, the server and what is wrong.
    """
    if path is None:
        return McpConfig({})
    try:
        servers = _load(path)["mcpServers"].items()
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f'{path} must look like {{"mcpServers": {{"a name": {{…}}}}}}') from error
    config = McpConfig(
        {name: _read_entry(path, name, entry, environment) for name, entry in servers if not _is_off(entry)}
    )
    if OWN_SERVER in config.servers:
        raise BadInput(f"{path}: the name {OWN_SERVER!r} is mendgate's own: give the server another one")
    if len(config.writers) > 1:
        names = " and ".join(config.writers)
        raise BadInput(f"{path}: one server executes patches, but {names} are writers: make one a reader")
    return config


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): check MENDGATE_MCP_CONFIG") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} isn't JSON: {error}") from error


def _is_off(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("disabled") is True


def _read_entry(path: Path, name: str, entry: Any, environment: Mapping[str, str]) -> ServerEntry:
    """Return one entry; what is told of a mistake never repeats a value, which may be secret."""
    place = f"{path}: mcpServers.{name}"
    if not _NAME.fullmatch(name):
        raise BadInput(f"{path}: {name!r} can't be a server's name: use up to 64 letters, digits, _ . -")
    if not isinstance(entry, dict):
        raise BadInput(f"{place} must be an object with a command or a url")
    found: list[str] = []
    expanded = {
        key: _expand(value, environment, f"{place}.{key}", found) if key in _EXPANDED else value
        for key, value in entry.items()
    }
    hidden = tuple(value for value in found if len(value) >= _SHORTEST_SECRET)
    try:
        return ServerEntry.model_validate(expanded).model_copy(
            update={"label": _label(entry), "hidden": hidden}
        )
    except ValidationError as error:
        faults = (".".join(["", *map(str, one["loc"])]) + f": {one['msg']}" for one in error.errors())
        raise BadInput("; ".join(f"{place}{fault}" for fault in faults)) from error


def _label(entry: Mapping[str, Any]) -> str:
    """Return what to show of a server: what the file says, not the values of its variables."""
    command = " ".join(map(str, [entry.get("command"), *(entry.get("args") or [])]))
    return redact_text(str(entry["url"]).partition("?")[0] if entry.get("url") else command)


def _expand(value: Any, environment: Mapping[str, str], place: str, found: list[str]) -> Any:
    """Return a value with its variables replaced; what they stood for is added to `found`."""
    if isinstance(value, dict):
        return {key: _expand(one, environment, f"{place}.{key}", found) for key, one in value.items()}
    if isinstance(value, list):
        return [_expand(one, environment, place, found) for one in value]
    if not isinstance(value, str):
        return value

    def value_of(match: re.Match[str]) -> str:
        meant = environment.get(match["name"], match["default"])
        if meant is None:
            raise BadInput(f"{place} names the variable {match['name']}, which isn't set: set it")
        found.append(meant)
        return meant

    return _VARIABLE.sub(value_of, value)
