"""Lists as kubectl prints them, for a glance at many objects."""

from collections.abc import Callable, Sequence
from typing import Any

from tools.kubectl.layout import NONE, age, table
from tools.kubernetes.client import Object
from tools.kubernetes.relations import last_seen
from tools.kubernetes.resource_types import Kind

_Row = tuple[Any, ...]


def list_names(kind: Kind, items: Sequence[Object]) -> str:
    """Return one `kind.group/name` per line."""
    return "".join(f"{kind.singular}/{item['metadata']['name']}\n" for item in items)


def list_wide(kind: Kind, items: Sequence[Object]) -> str:
    """Return a table with the columns that matter for the kind."""
    if not items:
        return "No resources found\n"
    header, row = _COLUMNS.get(kind.kind, (("NAME", "STATUS", "AGE"), _row))
    rows = [(item["metadata"].get("namespace", NONE), *row(item)) for item in items]
    return "\n".join(table(("NAMESPACE", *header), rows)) + "\n"


def pod_status(pod: Object) -> str:
    """Return the word that kubectl shows for a pod: why a container isn't running, before the phase."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for key, prefix in (("initContainerStatuses", "Init:"), ("containerStatuses", "")):
        for container in status.get(key) or []:
            state = container.get("state") or {}
            stopped = (
                state.get("waiting") or (None if container.get("ready") else state.get("terminated")) or {}
            )
            if (reason := stopped.get("reason")) and reason != "Completed":
                return f"{prefix}{reason}"
    return str(status.get("reason") or status.get("phase") or "Unknown")


def _pod(pod: Object) -> _Row:
    states = pod.get("status", {}).get("containerStatuses") or []
    ready = sum(1 for state in states if state.get("ready"))
    restarts = sum(state.get("restartCount", 0) for state in states)
    name, place = pod["metadata"]["name"], pod["spec"].get("nodeName", NONE)
    ratio = f"{ready}/{len(pod['spec'].get('containers') or [])}"
    return name, ratio, pod_status(pod), restarts, _age(pod), pod.get("status", {}).get("podIP", NONE), place


def _workload(item: Object) -> _Row:
    spec, status = item["spec"], item.get("status", {})
    wanted = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    ready = status.get("numberReady", status.get("readyReplicas", 0))
    updated = status.get("updatedNumberScheduled", status.get("updatedReplicas", NONE))
    images = [container.get("image", NONE) for container in spec["template"]["spec"].get("containers") or []]
    return item["metadata"]["name"], f"{ready}/{wanted}", updated, _age(item), ",".join(images)


def _event(event: Object) -> _Row:
    about = event["involvedObject"]
    message = " ".join(str(event.get("message", "")).split())
    who = f"{about.get('kind', '').lower()}/{about.get('name')}"
    return (
        age(last_seen(event)),
        event.get("count") or 1,
        event.get("type"),
        event.get("reason"),
        who,
        message,
    )


def _row(item: Object) -> _Row:
    return item["metadata"]["name"], (item.get("status") or {}).get("phase", NONE), _age(item)


def _age(item: Object) -> str:
    return age(item["metadata"].get("creationTimestamp"))


_WORKLOAD_HEADER = ("NAME", "READY", "UP-TO-DATE", "AGE", "IMAGES")
_COLUMNS: dict[str, tuple[tuple[str, ...], Callable[[Object], _Row]]] = {
    "DaemonSet": (_WORKLOAD_HEADER, _workload),
    "Deployment": (_WORKLOAD_HEADER, _workload),
    "Event": (("LAST SEEN", "COUNT", "TYPE", "REASON", "OBJECT", "MESSAGE"), _event),
    "Pod": (("NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"), _pod),
    "ReplicaSet": (_WORKLOAD_HEADER, _workload),
    "StatefulSet": (_WORKLOAD_HEADER, _workload),
}
