"""The Secrets that a workload's own revisions name: a proposal may name them again."""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

from graph.cluster.generated_names import is_made_by
from graph.cluster.workloads import Document, is_ready, owned_by, pods_of, render_selector
from graph.policy import NO_SECRETS, SecretNames, secrets_of, secrets_of_pod
from graph.ports import ClusterReader
from tools.errors import ClusterError, ClusterUnreachable

_REVISIONS = {
    "Deployment": "ReplicaSet",
    "StatefulSet": "ControllerRevision",
    "DaemonSet": "ControllerRevision",
}


async def find_named_secrets(
    cluster_reader: ClusterReader, workload: Document, *, healthy: bool
) -> SecretNames:
    """Return the Secrets that a workload's own revisions name; with `healthy`, only those that ran.

    A revision ran if a pod of it is Ready now, or if an event tells that a container of such a pod started,
    which takes every Secret that it names. What can't be read counts as nothing. Raises `ClusterUnreachable`.
    """
    kind = _REVISIONS.get(workload.get("kind", ""))
    if kind is None:
        return NO_SECRETS
    try:
        return await (
            _of_healthy(cluster_reader, workload, kind)
            if healthy
            else _of_all(cluster_reader, workload, kind)
        )
    except ClusterUnreachable:
        raise
    except ClusterError:
        return NO_SECRETS


async def _of_all(cluster_reader: ClusterReader, workload: Document, kind: str) -> SecretNames:
    return _join([_names_of(one) for one in await _list(cluster_reader, workload, kind)])


async def _of_healthy(cluster_reader: ClusterReader, workload: Document, kind: str) -> SecretNames:
    found = [secrets_of_pod(pod["spec"]) for pod in await pods_of(cluster_reader, workload) if is_ready(pod)]
    if kind == "ReplicaSet":  # the names of its pods begin with its own
        revisions = await _list(cluster_reader, workload, kind)
        events = await cluster_reader.list("Event", workload["metadata"]["namespace"])
        started = tuple(_started(events))
        found += [_names_of(one) for one in revisions if _ran(one, started)]
    return _join(found)


async def _list(cluster_reader: ClusterReader, workload: Document, kind: str) -> list[dict[str, Any]]:
    selector = render_selector(workload["spec"]["selector"])
    listed = await cluster_reader.list(kind, workload["metadata"]["namespace"], label_selector=selector)
    return [one for one in listed if owned_by(one, {workload["metadata"]["uid"]})]


def _started(events: Sequence[Document]) -> Iterator[str]:
    """Yield the names of the pods of which a container has started."""
    for event in events:
        about = event.get("involvedObject") or {}
        if event.get("reason") == "Started" and about.get("kind") == "Pod":
            yield str(about.get("name"))


def _ran(revision: Document, started: Sequence[str]) -> bool:
    return any(is_made_by(revision["metadata"]["name"], name) for name in started)


def _names_of(revision: Document) -> SecretNames:
    return secrets_of(revision.get("data") or revision)


def _join(found: Sequence[SecretNames]) -> SecretNames:
    return reduce(or_, found, NO_SECRETS)
