"""One step from a Kubernetes object to the next: owners, references, and selectors that lead to it.

Objects are read with distrust: what has another shape than Kubernetes gives it links to nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tools.kubernetes.resource_types import KINDS

_OF_CLUSTER = frozenset(kind.kind.lower() for kind in KINDS if not kind.namespaced)
_WORKLOADS = frozenset({"deployment", "replicaset", "statefulset", "daemonset", "job"})
_SLICE_OF = "kubernetes.io/service-name"
Object = Mapping[str, Any]


class Key(NamedTuple):
    """What an object is called. `kind` is in lower case; `namespace` is empty for one of the cluster."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, kind: str, namespace: str | None, name: str) -> "Key":
        """Return the key of an object, however its kind and namespace are spelled."""
        kind = kind.lower()
        return cls(kind, "" if kind in _OF_CLUSTER else namespace or "default", name)


@dataclass(frozen=True)
class Thing:
    """An object that was read. `uid` is empty where the answer left it out; None: no controller made it."""

    key: Key
    uid: str
    owner: Key | None
    owner_uid: str
    content: Object

    @classmethod
    def of(cls, content: Object) -> "Thing | None":
        """Return an object with its links, or None for what is no object."""
        metadata = _map(content.get("metadata"))
        kind, name = content.get("kind"), metadata.get("name")
        if not (isinstance(kind, str) and kind and isinstance(name, str) and name):
            return None
        namespace = _text(metadata.get("namespace"))
        made_by = next((one for one in _maps(metadata.get("ownerReferences")) if one.get("controller")), {})
        owner = Key.of(_text(made_by.get("kind")), namespace, _text(made_by.get("name"))) if made_by else None
        uid, owner_uid = _text(metadata.get("uid")), _text(made_by.get("uid"))
        return cls(Key.of(kind, namespace, name), uid, owner, owner_uid, content)

    @property
    def spec(self) -> Object:
        """What is wanted of it."""
        return _map(self.content.get("spec"))

    @property
    def labels(self) -> Object:
        """The labels of its pods: a pod's own, a workload's template's."""
        holder = _map(self.spec.get("template")) if self.key.kind in _WORKLOADS else self.content
        return _map(_map(holder.get("metadata")).get("labels"))

    @property
    def pod_spec(self) -> Object:
        """The pod that it is or makes; empty for anything else."""
        spec = self.spec
        if self.key.kind == "cronjob":
            spec = _map(_map(spec.get("jobTemplate")).get("spec"))
        if self.key.kind == "pod":
            return spec
        return _map(_map(spec.get("template")).get("spec"))


def list_references(thing: Thing) -> Iterator[Key]:
    """Yield what an object names as its own: node, volumes, configuration, account, and a claim's volume."""
    place = thing.key.namespace
    if thing.key.kind == "persistentvolumeclaim":
        yield from _named("PersistentVolume", "", thing.spec.get("volumeName"))
    spec = thing.pod_spec
    yield from _named("Node", "", spec.get("nodeName"))
    yield from _named("ServiceAccount", place, spec.get("serviceAccountName"))
    yield from _named("PriorityClass", "", spec.get("priorityClassName"))
    for volume in _maps(spec.get("volumes")):
        claim = _map(volume.get("persistentVolumeClaim"))
        yield from _named("PersistentVolumeClaim", place, claim.get("claimName"))
        yield from _named("ConfigMap", place, _map(volume.get("configMap")).get("name"))
        yield from _named("Secret", place, _map(volume.get("secret")).get("secretName"))
    for container in (*_maps(spec.get("containers")), *_maps(spec.get("initContainers"))):
        yield from _list_environment(container, place)


def leads_to(thing: Thing, ours: Iterable[Thing]) -> bool:
    """Whether an object stands before one of these: a Service, its Endpoints, what scales or guards it."""
    return thing.key.kind in _BEFORE and any(_leads_to(thing, other) for other in ours)


def list_behind(thing: Thing, things: Iterable[Thing]) -> Iterator[Key]:
    """Yield what an object leads to among these."""
    if thing.key.kind == "horizontalpodautoscaler":  # what it scales needn't have been read
        aim = _map(thing.spec.get("scaleTargetRef"))
        yield from _named(_text(aim.get("kind")), thing.key.namespace, aim.get("name"))
    if thing.key.kind == "persistentvolumeclaim":
        yield from (one.key for one in things if thing.key in set(list_references(one)))
    yield from (other.key for other in things if _leads_to(thing, other))


def _leads_to(thing: Thing, other: Thing) -> bool:
    is_before = _BEFORE.get(thing.key.kind)
    same_place = thing.key.namespace == other.key.namespace
    return is_before is not None and same_place and is_before(thing, other)


def _selects_pods(thing: Thing, other: Thing) -> bool:
    selector = _map(thing.spec.get("selector"))
    return _has_pods(other) and bool(selector) and selector.items() <= other.labels.items()


def _guards(thing: Thing, other: Thing) -> bool:
    return _has_pods(other) and picks(thing.spec.get("selector"), other.labels)


def _has_pods(thing: Thing) -> bool:
    return thing.key.kind == "pod" or thing.key.kind in _WORKLOADS


def _scales(thing: Thing, other: Thing) -> bool:
    aim = _map(thing.spec.get("scaleTargetRef"))
    return other.key == Key.of(_text(aim.get("kind")), thing.key.namespace, _text(aim.get("name")))


def _publishes(thing: Thing, other: Thing) -> bool:
    labels = _map(_map(thing.content.get("metadata")).get("labels"))
    name = thing.key.name if thing.key.kind == "endpoints" else labels.get(_SLICE_OF)
    return other.key.kind == "service" and other.key.name == name


def _enters(thing: Thing, other: Thing) -> bool:
    return other.key.kind == "service" and other.key.name in set(list_backends(thing.spec))


_BEFORE: Mapping[str, Callable[[Thing, Thing], bool]] = {
    "service": _selects_pods,
    "poddisruptionbudget": _guards,
    "horizontalpodautoscaler": _scales,
    "endpoints": _publishes,
    "endpointslice": _publishes,
    "ingress": _enters,
}


def picks(selector: object, labels: Object) -> bool:
    """Whether a label selector picks these labels. An empty one picks all; none, or an odd one, nothing."""
    if not isinstance(selector, Mapping):
        return False
    exact = _map(selector.get("matchLabels")).items() <= labels.items()
    return exact and all(_holds(term, labels) for term in _maps(selector.get("matchExpressions")))


def _holds(term: Object, labels: Object) -> bool:
    value, values = labels.get(_text(term.get("key"))), term.get("values")
    is_listed = isinstance(values, list) and value in values
    match term.get("operator"):
        case "In":
            return is_listed
        case "NotIn":
            return not is_listed
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def list_backends(spec: Object) -> Iterator[str]:
    """Yield the names of the Services that an Ingress of this spec sends to; empty where one has no name."""
    paths = (path for rule in _maps(spec.get("rules")) for path in _maps(_map(rule.get("http")).get("paths")))
    for backend in (spec.get("defaultBackend"), *(path.get("backend") for path in paths)):
        yield _text(_map(_map(backend).get("service")).get("name"))


def _list_environment(container: Object, place: str) -> Iterator[Key]:
    for source in _maps(container.get("envFrom")):
        yield from _named("ConfigMap", place, _map(source.get("configMapRef")).get("name"))
        yield from _named("Secret", place, _map(source.get("secretRef")).get("name"))
    for variable in _maps(container.get("env")):
        source = _map(variable.get("valueFrom"))
        yield from _named("ConfigMap", place, _map(source.get("configMapKeyRef")).get("name"))
        yield from _named("Secret", place, _map(source.get("secretKeyRef")).get("name"))


def _named(kind: str, namespace: str, name: object) -> Iterator[Key]:
    if isinstance(name, str) and name and kind:
        yield Key.of(kind, namespace, name)


def _map(value: object) -> Object:
    return value if isinstance(value, Mapping) else {}


def _maps(value: object) -> Iterator[Object]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, Mapping))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
