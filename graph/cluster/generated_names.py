"""How controllers name what they make, so that the events of a pod that is gone still find its workload."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from graph.cluster.object_links import Key

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
# a template's hash has up to ten characters; shorter ones are rare, and could be words
_HASH = rf"{_SAFE}{{8,10}}"
_RANDOM = rf"{_SAFE}{{5}}"
_SCHEDULED = r"\d{8,11}"
# https://github.com/kubernetes/apiserver/blob/master/pkg/storage/names/generate.go
_LONGEST_BASE = 58


@dataclass(frozen=True)
class NamePattern:
    """The names that one controller gives to objects of one kind."""

    kind: str
    namespace: str
    pattern: re.Pattern[str]

    def matches(self, key: Key) -> bool:
        """Whether the controller could have named that object."""
        return (key.kind, key.namespace) == (self.kind, self.namespace) and bool(
            self.pattern.fullmatch(key.name)
        )


def is_made_by(replica_set: str, pod: str) -> bool:
    """Whether a ReplicaSet of that name must have made a pod of that name, which may be gone."""
    return bool(re.fullmatch(_generated(replica_set), pod))


def name_patterns(chain: Collection[Key]) -> Iterator[NamePattern]:
    """Yield how the controllers among these objects name what they make.

    A Deployment's hash is guessed only where none of its ReplicaSets is known.
    """
    revised = {(key.namespace, key.name.rpartition("-")[0]) for key in chain if key.kind == "replicaset"}
    for key in chain:
        if key.kind == "deployment" and (key.namespace, key.name) in revised:
            continue
        for kind, pattern in _made_by(key):
            yield NamePattern(kind, key.namespace, re.compile(pattern))


def _made_by(key: Key) -> Iterable[tuple[str, str]]:
    name = re.escape(key.name)
    match key.kind:
        case "replicaset" | "replicationcontroller" | "daemonset":
            return (("pod", _generated(key.name)),)
        case "statefulset":
            return (("pod", rf"{name}-\d{{1,5}}"),)
        case "job":
            return (("pod", _generated(key.name)), ("pod", rf"{name}-\d+-{_RANDOM}"))
        case "cronjob":
            return (("job", rf"{name}-{_SCHEDULED}"), ("pod", rf"{name}-{_SCHEDULED}-{_RANDOM}"))
        case "deployment":
            return (("replicaset", rf"{name}-{_HASH}"), ("pod", rf"{name}-{_HASH}-{_RANDOM}"))
    return ()


def _generated(name: str) -> str:
    return re.escape(f"{name}-"[:_LONGEST_BASE]) + _RANDOM
