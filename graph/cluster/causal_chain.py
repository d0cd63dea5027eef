"""Which objects are on the causal chain of what an incident is about: a report quotes no other's events.

The chain is read from the evidence: the workload, what it owns, what its pods refer to, and what leads to
them. A name that merely begins alike proves nothing (`web`, `web-admin`): an owner, a reference or a selector
does, and for a pod that is gone the exact pattern by which its controller named it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graph.cluster.generated_names import name_patterns
from graph.cluster.object_links import Key, Thing, leads_to, list_behind, list_references
from graph.domain.alerts.targets import Target

_CONTROLLERS = frozenset(
    {"deployment", "replicaset", "statefulset", "daemonset", "job", "cronjob", "replicationcontroller"}
)
# their makers belong to them; a static pod's maker is its node, which owns nothing else by that
_CLIMBED = frozenset({"pod", "replicaset", "job"})
_MOST_ROUNDS = 8


class CausalChain:
    """The objects that belong to an incident's subjects, as far as the evidence shows them.

    `pods` are those that the alerts name, as namespace and name. `contents` are all objects that were read.
    """

    def __init__(
        self,
        subjects: Sequence[Target],
        pods: Iterable[tuple[str, str]],
        contents: Iterable[Mapping[str, Any]],
    ) -> None:
        self._things = [thing for content in contents if (thing := Thing.of(content))]
        self._uids: dict[Key, set[str]] = {}
        for thing in self._things:
            self._uids.setdefault(thing.key, set()).update({thing.uid} - {""})
        self._roots = {Key.of(one.kind, one.namespace, one.name) for one in subjects}
        self._own = self._roots | {Key.of("Pod", namespace, name) for namespace, name in pods}
        for _ in range(_MOST_ROUNDS):
            if not self._grow():
                break
        self._patterns = tuple(name_patterns(self._own))

    def has(self, kind: str, namespace: str, name: str, uid: str = "") -> bool:
        """Whether an object is on the chain: by its uid where that is known, else by its whole name.

        One that was never read counts if a controller of the chain must have named it.
        """
        key = Key.of(kind, namespace, name)
        known = self._uids.get(key, set())
        # events about a node carry its name for a uid
        is_same = not uid or not known or uid in known or uid == name
        if key in self._own and is_same:
            return True
        was_read_as_another = key not in self._own and key in self._uids
        return not was_read_as_another and any(pattern.matches(key) for pattern in self._patterns)

    def _grow(self) -> bool:
        """Add what one more step leads to; return whether there was any."""
        before = len(self._own)
        ours = [thing for thing in self._things if thing.key in self._own]
        for thing in ours:
            self._own.update(list_references(thing))
            if thing.owner and thing.key.kind in _CLIMBED:
                self._own.add(thing.owner)
            if thing.key in self._roots:
                self._own.update(list_behind(thing, self._things))
        self._own.update(
            thing.key
            for thing in self._things
            if thing.key not in self._own and (self._is_made_by_ours(thing) or leads_to(thing, ours))
        )
        return len(self._own) > before

    def _is_made_by_ours(self, thing: Thing) -> bool:
        owner = thing.owner
        if owner is None or owner not in self._own or owner.kind not in _CONTROLLERS:
            return False
        known = self._uids.get(owner, set())
        return not known or not thing.owner_uid or thing.owner_uid in known
