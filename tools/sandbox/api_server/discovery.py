"""The API server's description of itself: version, groups and resources."""

from typing import Any

from tools.kubernetes.resource_types import KINDS
from tools.sandbox.api_server.kubelet_age import KubeletAge

_SUBRESOURCES = {"pods": ("log",), "deployments": ("status",)}


def describe(path: str, age: KubeletAge) -> Any | None:
    """Return the discovery document at a path, or None if the path isn't one of discovery."""
    if path == "/version":
        return {
            "major": "1",
            "minor": age.minor,
            "gitVersion": age.git_version,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "none",
            "compiler": "none",
            "platform": "linux/amd64",
        }
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        groups = [_group(name) for name in _groups()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    for group, version in _groups().items():
        if path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        if path == f"/apis/{group}/{version}":
            return _resources(group, version)
    return _resources("", "v1") if path == "/api/v1" else None


def _groups() -> dict[str, str]:
    return {kind.group: kind.version for kind in KINDS if kind.group}


def _group(name: str) -> dict[str, Any]:
    version = _groups()[name]
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _resources(group: str, version: str) -> dict[str, Any]:
    resources = []
    for kind in KINDS:
        if (kind.group, kind.version) != (group, version):
            continue
        entry: dict[str, Any] = {"name": kind.plural, "singularName": kind.kind.lower()}
        entry |= {"namespaced": kind.namespaced, "kind": kind.kind, "verbs": ["get", "list", "patch"]}
        resources.append({**entry, **({"shortNames": list(kind.names)} if kind.names else {})})
        subresources = _SUBRESOURCES.get(kind.plural, ())
        resources += [{**entry, "name": f"{kind.plural}/{one}", "verbs": ["get"]} for one in subresources]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}
