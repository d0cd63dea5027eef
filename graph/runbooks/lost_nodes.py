"""Pods are lost with their node: it is gone, under pressure, or has driven them out."""

from collections.abc import Iterator

from graph.runbooks.answers import quote
from graph.runbooks.finding import Finding, unique
from graph.runbooks.pull_failures import list_failures
from graph.runbooks.snapshot import Snapshot
from graph.runbooks.surroundings import Node

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if pods are missing that were evicted, or sit on a node that isn't well, or None."""
    evicted = tuple(pod for pod in snapshot.ended if pod.status.reason == "Evicted")
    sick = tuple(_sick(snapshot))
    wanted, _, ready = snapshot.workload.value.counts
    if ready >= wanted or not (evicted or sick):
        return None
    workload = snapshot.workload.value
    words = [f"node {node.metadata.name} {describe_node(node)}" for node in sick]
    if evicted:
        words.append(f"{len(evicted)} of its pods were evicted: {quote(evicted[-1].status.message)}")
    named = [node.metadata.name for node in sick] or sorted({pod.spec.node_name for pod in evicted} - {""})
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {ready} of {wanted} pods are ready, and {words[0]}",
        cause=f"{'; '.join(words)}.",
        confidence="high",
        evidence=unique(
            (
                snapshot.workload.evidence,
                snapshot.pods.evidence,
                *((snapshot.nodes.evidence,) if snapshot.nodes else ()),
            )
        ),
        options=(),
        advice=(
            *(advise_on_node(name) for name in named[:3]),
            *(_advise_on_evictions(workload.metadata.namespace) if evicted else ()),
        ),
        prevention=("Give every container requests that it keeps to: who exceeds them is evicted first.",),
    )


def describe_node(node: Node) -> str:
    """Return in words what is wrong with a node."""
    ready = next((each for each in node.status.conditions if each.type == "Ready"), None)
    if ready is None or ready.status != "True":
        said = f" ({quote(ready.message)})" if ready and ready.message else ""
        return f"isn't ready{said}"
    under = [
        each.type for each in node.status.conditions if each.type in _PRESSURES and each.status == "True"
    ]
    return f"is under {', '.join(under)}" if under else "is cordoned"


def is_sick(node: Node) -> bool:
    """Whether a node isn't ready or is short of something. A cordoned one is well."""
    ready = any((each.type, each.status) == ("Ready", "True") for each in node.status.conditions)
    return not ready or any(
        each.type in _PRESSURES and each.status == "True" for each in node.status.conditions
    )


def advise_on_node(name: str) -> str:
    """Return what to do about a sick node."""
    return (
        f"Look at node {name}: kubectl describe node {name}; on it, journalctl -u kubelet, df -h,"
        " free -m. If it"
        f" doesn't come back: kubectl drain {name} --ignore-daemonsets --delete-emptydir-data, then"
        " replace it."
    )


def _sick(snapshot: Snapshot) -> Iterator[Node]:
    pods = (*snapshot.leaving, *(pod for pod in snapshot.pods.value if not pod.is_ready))
    used = {pod.spec.node_name for pod in pods}
    # an image that found no room there says more than the pressure that comes of it
    full = {name for each in list_failures(snapshot) if each.why == "no_space" for name in each.nodes}
    for node in snapshot.nodes.value if snapshot.nodes else ():
        if (
            node.metadata.name in used
            and is_sick(node)
            and not (node.metadata.name in full and node.is_ready)
        ):
            yield node


def _advise_on_evictions(namespace: str) -> tuple[str, ...]:
    return (
        (
            "Find out what fills the node (kubectl top pods -A; ephemeral storage: logs, emptyDir),"
            " bound it with"
            f" limits, then clear what is left: kubectl delete pods -n {namespace} --field-selector"
            " status.phase=Failed"
        ),
    )
