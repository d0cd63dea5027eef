"""Logs of a pod, or of the pods behind a workload, bounded and without credentials."""

import re
from functools import partial
from typing import Any

from tools.errors import BadInput, ClusterError, RequestRejected
from tools.kubectl.lost_logs import split_log
from tools.kubernetes.client import Cluster, Object
from tools.kubernetes.relations import find_pods
from tools.kubernetes.resource_types import Kind
from tools.redaction.redactor import redact_text

MOST_PODS = 5
_WITH_PODS = frozenset({"DaemonSet", "Deployment", "Job", "ReplicaSet", "Service", "StatefulSet"})
_UNIT_SECONDS = {"h": 3600, "m": 60, "s": 1, "": 1}


async def read_logs(  # noqa: PLR0913 - the options of `kubectl logs`
    cluster: Cluster,
    kind: Kind,
    name: str,
    namespace: str,
    *,
    container: str | None,
    previous: bool,
    tail_lines: int,
    since_seconds: int | None,
) -> str:
    """Return the log, one after the other under a title where there are several.

    Of a workload at most five pods are read. A container without a log says why in its place; where there is
    only one, its ClusterError is raised: 400 where the kubelet keeps no log of that run.
    """
    pods = await _pods_behind(cluster, kind, name, namespace)
    options = {"previous": previous, "tail_lines": tail_lines, "since_seconds": since_seconds}
    read = partial(_read_kept, cluster, options)
    sources = [
        (pod["metadata"]["name"], each) for pod in pods[:MOST_PODS] for each in _containers(pod, container)
    ]
    if len(sources) == 1:
        pod_name, only = sources[0]
        return redact_text(await read(pod_name, namespace, container=only))
    parts = [
        f"==> {pod_name} {each} <==\n{await _try(read, pod_name, namespace, each)}"
        for pod_name, each in sources
    ]
    if len(pods) > MOST_PODS:
        parts.append(f"[{len(pods) - MOST_PODS} more pods left out: name one]\n")
    return "\n".join(parts) or f"{kind.kind.lower()} {name} has no pods, so there is no log\n"


def parse_since(since: str | None) -> int | None:
    """Return seconds for a duration such as `1h30m`, `5m` or `90`."""
    if since is None:
        return None
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in re.findall(r"(\d+)([hms]?)", since))


async def _pods_behind(cluster: Cluster, kind: Kind, name: str, namespace: str) -> list[Object]:
    found = await cluster.get(kind, name, namespace) if kind.kind in {*_WITH_PODS, "Pod"} else None
    if found is None:
        raise BadInput(f"a {kind.kind} has no log: name a pod, or one of {', '.join(sorted(_WITH_PODS))}")
    return [found] if kind.kind == "Pod" else await find_pods(cluster, found)


def _containers(pod: Object, wanted: str | None) -> list[str]:
    if wanted:
        return [wanted]
    return [container["name"] for container in pod["spec"]["containers"]]


async def _read_kept(
    cluster: Cluster, options: dict[str, Any], pod: str, namespace: str, *, container: str
) -> str:
    """Return the log; raise `RequestRejected` where the kubelet answers that it keeps none."""
    written, no_more = split_log(await cluster.logs(pod, namespace, container=container, **options))
    if no_more and not written:
        raise RequestRejected(f"the node keeps no log of that run ({no_more})", code=400, reason="BadRequest")
    return written


async def _try(read: Any, pod: str, namespace: str, container: str) -> str:
    try:
        return redact_text(await read(pod, namespace, container=container))
    except ClusterError as error:
        return f"[no log: {error}]\n"
