"""Manifests without their boilerplate: what every object of a kind has anyway isn't written down."""

import copy
from typing import Any

from bench.eval.scenario import Object
from tools.kubernetes.resource_types import find_kind

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
DERIVED = frozenset({"Pod", "ReplicaSet", "ControllerRevision", "Event", "Endpoints", "EndpointSlice"})
"""Kinds that controllers make: they come and go with what is asked for."""
NAMESPACE = "default"


def complete(short: Object) -> Object:
    """Return a whole manifest. `name` may stand for `metadata.name`, and names the labels and the selector.

    A workload's pods are replaced at once, so that an outage is one.
    """
    kind = find_kind(short["kind"])
    manifest: Object = {"apiVersion": kind.api_version, **copy.deepcopy(short), "kind": kind.kind}
    metadata = manifest.setdefault("metadata", {})
    if name := manifest.pop("name", None):
        metadata["name"] = name
    if kind.namespaced:
        metadata.setdefault("namespace", NAMESPACE)
    if kind.kind in WORKLOADS:
        _complete_workload(manifest)
    return manifest


def reference(manifest: Object) -> str:
    """Return `Kind/name`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def _complete_workload(manifest: Object) -> None:
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    labels: dict[str, Any] = {"app": name}
    manifest["metadata"].setdefault("labels", labels)
    template = spec["template"]
    template.setdefault("metadata", {}).setdefault("labels", labels)
    spec.setdefault("selector", {"matchLabels": template["metadata"]["labels"]})
    if manifest["kind"] == "Deployment":
        at_once = {"maxUnavailable": "100%", "maxSurge": "25%"}
        spec.setdefault("strategy", {"type": "RollingUpdate", "rollingUpdate": at_once})
    if manifest["kind"] == "StatefulSet":
        spec.setdefault("serviceName", name)
