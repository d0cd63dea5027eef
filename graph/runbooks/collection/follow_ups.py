"""Which neighbours matter: an engineer looks at the nodes when a pod finds none, not before."""

import re
from collections.abc import Iterator
from dataclasses import replace

from graph.domain.diagnosis import ReadCall
from graph.runbooks.evidence.network_reads import list_front, read_front
from graph.runbooks.evidence.pull_errors import ON_NODES
from graph.runbooks.evidence.pull_failures import list_failures
from graph.runbooks.evidence.reads import get_one, list_all, list_everywhere, list_names
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Answers, Sourced
from graph.runbooks.objects.config_references import find_volume_key
from graph.runbooks.objects.memory_bounds import LimitRange, Quota
from graph.runbooks.objects.neighbours import Claim, ConfigMap, Named, Node
from graph.runbooks.objects.workloads import Items, Pod

_MOST_KEYED = 3
_KEYED = re.compile(r"couldn't find key \S+ in ConfigMap [^/\s]+/(?P<name>[a-z0-9][-a-z0-9.]{0,252})")


def list_neighbours(snapshot: Snapshot) -> tuple[ReadCall, ...]:
    """Return the calls that read what the symptoms point at; none where they point at nothing else."""
    namespace = snapshot.workload.value.metadata.namespace
    if snapshot.is_healthy:
        return list_front(namespace, snapshot.alerts)
    said = "\n".join(_complaints(snapshot)).lower()
    calls: list[ReadCall] = []
    if "configmap" in said:
        calls.append(list_names("configmaps", namespace))
        calls += [get_one("ConfigMap", name, namespace) for name in _keyed(snapshot)]
    if "persistentvolumeclaim" in said:
        calls += [list_all("persistentvolumeclaims", namespace), list_everywhere("storageclasses")]
    if "serviceaccount" in said:
        calls.append(list_names("serviceaccounts", namespace))
    if _ran_out_of_memory(snapshot):
        calls += [list_all("limitranges", namespace), list_all("resourcequotas", namespace)]
    if _concerns_nodes(snapshot) or any(each.why in ON_NODES for each in list_failures(snapshot)):
        calls.append(list_everywhere("nodes"))
    return tuple(calls)


def with_neighbours(snapshot: Snapshot, answers: Answers) -> Snapshot:
    """Return the snapshot with all neighbours that were read."""
    namespace = snapshot.workload.value.metadata.namespace
    nodes = answers.read(list_everywhere("nodes"), Items[Node])
    claims = answers.read(list_all("persistentvolumeclaims", namespace), Items[Claim])
    classes = answers.read(list_everywhere("storageclasses"), Items[Named])
    ranges = answers.read(list_all("limitranges", namespace), Items[LimitRange])
    quotas = answers.read(list_all("resourcequotas", namespace), Items[Quota])
    keyed = (answers.read(get_one("ConfigMap", name, namespace), ConfigMap) for name in _keyed(snapshot))
    return replace(
        snapshot,
        front=read_front(answers, namespace) if snapshot.is_healthy else None,
        config_maps=answers.read_names(list_names("configmaps", namespace)),
        keys=tuple(each for each in keyed if each),
        service_accounts=answers.read_names(list_names("serviceaccounts", namespace)),
        # of a list that was cut nothing can be said to be missing
        nodes=Sourced(nodes.evidence, nodes.value.items) if nodes and not nodes.value.truncated else None,
        claims=Sourced(claims.evidence, claims.value.items)
        if claims and not claims.value.truncated
        else None,
        bounds=(
            Sourced(ranges.evidence, ranges.value.items) if ranges else None,
            Sourced(quotas.evidence, quotas.value.items) if quotas else None,
        ),
        storage_classes=Sourced(classes.evidence, classes.value.items) if classes else None,
    )


def _complaints(snapshot: Snapshot) -> Iterator[str]:
    """Yield what kubelet, scheduler and API server said about the newest pods."""
    for sighting in snapshot.sightings():
        if waiting := sighting.status.state.waiting:
            yield waiting.message
    for pod in snapshot.newest_pods:
        yield pod.unschedulable or ""
    for event in snapshot.events_of(snapshot.newest_pods, "FailedMount", "Failed", "FailedScheduling"):
        yield event.value.message
    for refusal in snapshot.refusals():
        yield refusal.value


def _keyed(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_list_keyed(snapshot)))[:_MOST_KEYED]


def _list_keyed(snapshot: Snapshot) -> Iterator[str]:
    """Yield the names of the ConfigMaps of which a key is said to be missing."""
    for complaint in _complaints(snapshot):
        if match := _KEYED.search(complaint):
            yield match["name"].rstrip(".-")
        if (found := find_volume_key(snapshot.template, complaint)) and found[0] == "ConfigMap":
            yield found[1]


def _ran_out_of_memory(snapshot: Snapshot) -> bool:
    ends = (end for sighting in snapshot.sightings() for end in sighting.status.ends)
    return any(end.reason == "OOMKilled" for end in ends)


def _concerns_nodes(snapshot: Snapshot) -> bool:
    """Whether a pod finds no node, was driven from one, or sits on one that doesn't answer."""
    pods = snapshot.pods.value
    driven = any(pod.status.reason == "Evicted" for pod in snapshot.ended)
    return (
        driven
        or bool(snapshot.leaving)
        or any(each.value.is_silent for each in snapshot.unread)
        or any(pod.unschedulable is not None or _is_silent(pod) for pod in pods)
    )


def _is_silent(pod: Pod) -> bool:
    """Whether the control plane holds a pod for lost: it isn't Ready, though its containers were."""
    states = pod.status.container_statuses
    unready = any((each.type, each.status) == ("Ready", "False") for each in pod.status.conditions)
    return pod.status.phase == "Unknown" or (unready and bool(states) and all(one.ready for one in states))
