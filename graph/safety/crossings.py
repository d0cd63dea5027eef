"""Whether a change takes values from another environment, region, tenant or program, or goes back over data.

Looked for in every proposal, a person's edit included. A runbook doesn't make such a change at all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graph.cluster.health import container_statuses
from graph.cluster.workloads import pods_of
from graph.domain.changes.dangers import Danger
from graph.domain.changes.new_values import NewValue
from graph.domain.naming.identity import Labelled, identify
from graph.ports import ClusterReader
from graph.safety.foreign_values import find_strays
from tools.errors import ClusterError
from tools.off_loop import run_off_loop
from tools.registry.image_tags import tag_of
from tools.text.plain_text import make_inert

_NEIGHBOURS = ("Deployment", "StatefulSet", "DaemonSet")
_SHOWN = 300
_MOST = 5
_VERSION = re.compile(r"\d+(?:\.\d+){0,4}")
Document = Mapping[str, Any]


async def find_crossings(
    cluster_reader: ClusterReader, before: Document, values: Sequence[NewValue]
) -> tuple[Danger, ...]:
    """Return what a change of this object takes from where it doesn't belong, and whether data is at stake.

    Without the right to list neighbours only name, labels and namespace are looked at.
    """
    namespace = before["metadata"].get("namespace")
    documents: list[dict[str, Any]] = []
    for kind in _NEIGHBOURS:
        try:
            documents += await cluster_reader.list(kind, namespace)
        except ClusterError:
            continue
    name = before["metadata"]["name"]
    own = identify(
        f"{before.get('kind')}/{name}", _label(before), str(namespace or ""), map(_label, documents)
    )
    strays = await run_off_loop(find_strays, values, before, own)
    told = [Danger("high", make_inert(f"crosses over: {why}", _SHOWN)) for why in strays[:_MOST]]
    return (*told, *await _over_data(cluster_reader, before, values))


def _label(document: Document) -> Labelled:
    spec = document.get("spec") or {}
    template = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    labels = {**(document["metadata"].get("labels") or {}), **template}
    return Labelled(document["metadata"]["name"], {key: str(value) for key, value in labels.items()})


async def _over_data(
    cluster_reader: ClusterReader, before: Document, values: Sequence[NewValue]
) -> list[Danger]:
    """Return each container whose image goes back to an older version over data that the newer one had."""
    found: list[Danger] = []
    pod = ((before.get("spec") or {}).get("template") or {}).get("spec") or {}
    images = {value.steps[-2][1:-1]: str(value.value) for value in values if _is_image(value)}
    for container in (*(pod.get("initContainers") or []), *(pod.get("containers") or [])):
        now, then = container.get("image", ""), images.get(container["name"], "")
        volume = next(_data_volumes(before, pod, container), None)
        if volume and _is_older(then, now) and await _has_run(cluster_reader, before, container["name"], now):
            words = f"puts {then} over data of volume {volume} that {now} may have changed: save it first"
            found.append(Danger("high", make_inert(words, _SHOWN)))
    return found


def _is_image(value: NewValue) -> bool:
    return not value.removed and value.steps[-1:] == ("image",) and value.steps[-2:-1] != ()


def _data_volumes(before: Document, pod: Document, container: Document) -> Iterator[str]:
    made = (before.get("spec") or {}).get("volumeClaimTemplates") or []
    kept = {(each.get("metadata") or {}).get("name") for each in made}
    kept |= {
        each.get("name")
        for each in pod.get("volumes") or []
        if each.get("persistentVolumeClaim") or each.get("hostPath")
    }
    for mount in container.get("volumeMounts") or []:
        if mount.get("name") in kept and not mount.get("readOnly"):
            yield str(mount["name"])


def _is_older(image: str, other: str) -> bool:
    one, two = (_VERSION.search(tag_of(each)) for each in (image, other))
    return bool(one and two) and _parts(one) < _parts(two)


def _parts(version: re.Match[str] | None) -> list[int]:
    return [int(part[:9]) for part in version[0].split(".")] if version else []


async def _has_run(cluster_reader: ClusterReader, workload: Document, name: str, image: str) -> bool:
    """Whether a container has run with this image, or nobody can tell."""
    try:
        pods = await pods_of(cluster_reader, workload)
    except ClusterError:
        return True
    for pod in pods:
        spec = pod.get("spec", {})
        made = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
        if not any((each.get("name"), each.get("image")) == (name, image) for each in made):
            continue
        for status in container_statuses(pod):
            if status.name == name and (status.state.running or status.ends):
                return True
    return False
