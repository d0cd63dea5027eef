"""Evidence as a person would have had it: the kubectl command that reads the same."""

import json
import shlex
from typing import Any

from graph.domain.diagnosis import Evidence
from tools.mcp.toolbox import OWN_SERVER

_FLAGS = {
    "namespace": "-n", "labelSelector": "-l", "fieldSelector": "--field-selector", "container": "-c",
    "output": "-o", "sortBy": "--sort-by",
}  # fmt: skip
_VALUED = {"tail": "--tail", "since": "--since", "sinceTime": "--since-time", "revision": "--revision"}
_SWITCHES = {"previous": "--previous", "timestamps": "--timestamps", "allNamespaces": "-A"}
_VERBS = {
    "kubectl_get": "get", "kubectl_describe": "describe", "kubectl_logs": "logs",
    "kubectl_rollout": "rollout",
}  # fmt: skip
_NAMING = frozenset({"resourceType", "name", "subCommand"})
_KNOWN = frozenset({*_FLAGS, *_VALUED, *_SWITCHES, *_NAMING})


def as_command(piece: Evidence) -> str:
    """Return the command, or the tool's call as it was made where no command does the same."""
    arguments = {name: value for name, value in piece.arguments.items() if value not in ("", None, False)}
    verb = _VERBS.get(piece.tool)
    if verb is None or piece.server != OWN_SERVER or not arguments.keys() <= _KNOWN:
        return f"{piece.source} {json.dumps(piece.arguments, ensure_ascii=False)}"
    return shlex.join(["kubectl", verb, *_object(verb, arguments), *_options(arguments)])


def _object(verb: str, arguments: dict[str, Any]) -> list[str]:
    kind, name = str(arguments.get("resourceType", "")), str(arguments.get("name", ""))
    if verb == "rollout":
        return [str(arguments.get("subCommand", "")), f"{kind}/{name}"]
    if verb == "logs":
        return [name if kind in {"", "pod", "pods"} else f"{kind}/{name}"]
    return [part for part in (kind, name) if part]


def _options(arguments: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, value in arguments.items():
        if flag := _FLAGS.get(name):
            found += [flag, str(value)]
        elif valued := _VALUED.get(name):
            found.append(f"{valued}={value}")
        elif name in _SWITCHES and value is True:
            found.append(_SWITCHES[name])
    return found
