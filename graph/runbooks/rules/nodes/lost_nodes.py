"""Pods are lost with their node: it is gone, under pressure, or has driven them out."""

from collections.abc import Iterator

from graph.runbooks.evidence.pull_failures import list_failures
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding, unique
from graph.runbooks.objects.neighbours import Node
from graph.runbooks.objects.nodes import advise_on_node, describe_node, is_sick


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
