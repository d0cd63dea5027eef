"""`kubectl describe`: one object with what is needed to understand it, events included, as text.

Kinds without a description of their own are shown as YAML.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from tools.kubectl.describe_pods import describe_pod
from tools.kubectl.describe_workloads import describe_conditions, describe_deployment, describe_set
from tools.kubectl.layout import NONE, age, fields, pairs_of, table
from tools.kubectl.trimming import clean, to_yaml
from tools.kubernetes.client import Cluster, Object
from tools.kubernetes.relations import find_events, find_pods, find_replica_sets, last_seen
from tools.kubernetes.resource_types import Kind

_HOUSEKEEPING = ("apiVersion", "kind", "metadata")


async def describe(cluster: Cluster, kind: Kind, name: str, namespace: str | None) -> str:
    """Return one object as text, credentials hidden. Raises the cluster's ClusterError."""
    found = clean(await cluster.get(kind, name, namespace))
    body = await _BODIES.get(kind.kind, _describe_any)(cluster, found)
    events = [clean(event) for event in await find_events(cluster, found)]
    return "\n".join([*_head(found), *body, *_events(events)]) + "\n"


def _head(found: Object) -> list[str]:
    metadata = found["metadata"]
    owners = [f"{owner['kind']}/{owner['name']}" for owner in metadata.get("ownerReferences") or []]
    rows: list[tuple[str, Any]] = [("Name", metadata["name"]), ("Kind", found["kind"])]
    if namespace := metadata.get("namespace"):
        rows.append(("Namespace", namespace))
    rows += [
        ("Created", f"{metadata.get('creationTimestamp')} ({age(metadata.get('creationTimestamp'))} ago)"),
        ("Labels", pairs_of(metadata.get("labels"))),
        ("Annotations", pairs_of(metadata.get("annotations"))),
    ]
    if deleted := metadata.get("deletionTimestamp"):
        rows.append(("Terminating", f"since {deleted}; finalizers: {metadata.get('finalizers') or NONE}"))
    return fields(rows + ([("Controlled By", owners)] if owners else []))


def _events(events: list[Object]) -> list[str]:
    if not events:
        return ["Events:  <none>"]
    rows = [
        (
            event.get("type"),
            event.get("reason"),
            _seen(event),
            _reporter(event),
            _one_line(event.get("message")),
        )
        for event in events
    ]
    return ["Events:", *table(("Type", "Reason", "Age", "From", "Message"), rows, indent=2)]


def _seen(event: Object) -> str:
    count = (event.get("series") or {}).get("count") or event.get("count") or 1
    since = f" (x{count} over {age(event.get('firstTimestamp') or last_seen(event))})" if count > 1 else ""
    return age(last_seen(event)) + since


def _reporter(event: Object) -> str:
    return str((event.get("source") or {}).get("component") or event.get("reportingComponent") or NONE)


def _one_line(message: Any) -> str:
    return " ".join(str(message or "").split())


async def _describe_pod(_cluster: Cluster, pod: Object) -> list[str]:
    return describe_pod(pod)


async def _describe_deployment(cluster: Cluster, deployment: Object) -> list[str]:
    return describe_deployment(deployment, await find_replica_sets(cluster, deployment))


async def _describe_set(cluster: Cluster, workload: Object) -> list[str]:
    return describe_set(workload, await find_pods(cluster, workload))


async def _describe_service(cluster: Cluster, service: Object) -> list[str]:
    metadata, spec = service["metadata"], service["spec"]
    # asked as a list, so that a Service without Endpoints isn't an error
    wanted = f"metadata.name={metadata['name']}"
    endpoints = await cluster.list("endpoints", metadata["namespace"], field_selector=wanted)
    subsets = [subset for item in endpoints for subset in item.get("subsets") or []]
    return fields(
        [
            ("Selector", ",".join(pairs_of(spec.get("selector")))),
            ("Type", spec.get("type", "ClusterIP")),
            ("IP", spec.get("clusterIP", NONE)),
            *([("External Name", spec["externalName"])] if spec.get("externalName") else []),
            ("Ports", [_service_port(port) for port in spec.get("ports") or []] or [NONE]),
            ("Endpoints", _addresses(subsets, "addresses")),
            ("Not Ready", _addresses(subsets, "notReadyAddresses")),
        ]
    )


def _service_port(port: Object) -> str:
    name = f"{port['name']} " if port.get("name") else ""
    return f"{name}{port['port']}/{port.get('protocol', 'TCP')} -> {port.get('targetPort', port['port'])}"


def _addresses(subsets: list[Object], key: str) -> list[str]:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in subsets
        for address in subset.get(key) or []
        for port in subset.get("ports") or []
    ]
    return found or [NONE]


async def _describe_node(cluster: Cluster, node: Object) -> list[str]:
    spec, status = node.get("spec", {}), node.get("status", {})
    taints = [f"{t['key']}={t.get('value', '')}:{t['effect']}" for t in spec.get("taints") or []]
    pods = await cluster.list("pods", None, field_selector=f"spec.nodeName={node['metadata']['name']}")
    rows = [
        (
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
            pod.get("status", {}).get("phase"),
            _requests(pod),
        )
        for pod in pods
    ]
    return [
        *fields([("Unschedulable", spec.get("unschedulable", False)), ("Taints", taints or [NONE])]),
        *describe_conditions(status),
        *fields([("Capacity", pairs_of(status.get("capacity")))]),
        *fields([("Allocatable", pairs_of(status.get("allocatable")))]),
        "Pods:",
        *table(("Namespace", "Name", "Phase", "Requests"), rows, indent=2),
    ]


def _requests(pod: Object) -> str:
    wanted = [(c.get("resources") or {}).get("requests") or {} for c in pod["spec"].get("containers") or []]
    return "; ".join(",".join(pairs_of(requests)) for requests in wanted)


async def _describe_claim(cluster: Cluster, claim: Object) -> list[str]:
    spec, status, name = claim["spec"], claim.get("status", {}), claim["metadata"]["name"]
    pods = await cluster.list("pods", claim["metadata"]["namespace"])
    users = [pod["metadata"]["name"] for pod in pods if _mounts(pod, name)]
    return fields(
        [
            ("Status", status.get("phase", "Unknown")),
            ("StorageClass", spec.get("storageClassName", NONE)),
            ("Volume", spec.get("volumeName", NONE)),
            ("Requested", pairs_of((spec.get("resources") or {}).get("requests"))),
            ("Capacity", pairs_of(status.get("capacity"))),
            ("Access Modes", ", ".join(spec.get("accessModes") or [NONE])),
            ("Used By", users or [NONE]),
        ]
    )


def _mounts(pod: Object, claim: str) -> bool:
    volumes = pod["spec"].get("volumes") or []
    return any((volume.get("persistentVolumeClaim") or {}).get("claimName") == claim for volume in volumes)


async def _describe_any(_cluster: Cluster, found: Object) -> list[str]:
    return to_yaml({key: value for key, value in found.items() if key not in _HOUSEKEEPING}).splitlines()


_BODIES: dict[str, Callable[[Cluster, Object], Awaitable[list[str]]]] = {
    "DaemonSet": _describe_set,
    "Deployment": _describe_deployment,
    "Node": _describe_node,
    "PersistentVolumeClaim": _describe_claim,
    "Pod": _describe_pod,
    "ReplicaSet": _describe_set,
    "Service": _describe_service,
    "StatefulSet": _describe_set,
}
