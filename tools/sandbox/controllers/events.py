"""Events as Kubernetes' recorders write them: one object per message, counted when it recurs."""

import itertools
from dataclasses import dataclass

from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.store import Object, Store, timestamp, uid_of

_EVENT = find_kind("event")


@dataclass(frozen=True)
class Source:
    """Who reports: `kubelet` on a node, or a controller (no host)."""

    component: str
    host: str = ""


class Recorder:
    """Writes the cluster's events."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[tuple[str, str, str], str] = {}
        self._serial = itertools.count(0x18EAC532DC812714, 0x10001)

    def warn(self, source: Source, about: Object, reason: str, message: str, *, container: str = "") -> None:
        """Record a Warning about an object, or about one container of a pod."""
        self._record("Warning", source, about, (reason, message), container)

    def note(self, source: Source, about: Object, reason: str, message: str, *, container: str = "") -> None:
        """Record a Normal event about an object, or about one container of a pod."""
        self._record("Normal", source, about, (reason, message), container)

    def _record(
        self, severity: str, source: Source, about: Object, text: tuple[str, str], container: str
    ) -> None:
        key, namespace = (uid_of(about), *text), str(about["metadata"].get("namespace", "default"))
        known = self._store.find("Event", namespace, self._names[key]) if key in self._names else None
        if known is not None:
            known["count"] += 1
            known["lastTimestamp"] = timestamp()
            self._store.replace(known)
            return
        self._names[key] = f"{about['metadata']['name']}.{next(self._serial):x}"
        self._store.create(
            _EVENT,
            {
                "kind": "Event",
                "apiVersion": "v1",
                "metadata": {"name": self._names[key], "namespace": namespace},
                "involvedObject": _reference(about, container),
                "reason": text[0],
                "message": text[1],
                "source": {"component": source.component, **({"host": source.host} if source.host else {})},
                "firstTimestamp": timestamp(),
                "lastTimestamp": timestamp(),
                "count": 1,
                "type": severity,
                "eventTime": None,
                "reportingComponent": source.component,
                "reportingInstance": source.host,
            },
        )


def _reference(about: Object, container: str) -> Object:
    metadata = about["metadata"]
    reference = {
        "kind": about["kind"],
        "namespace": metadata.get("namespace", "default"),
        "name": metadata["name"],
        "uid": metadata["uid"],
        "apiVersion": about["apiVersion"],
        "resourceVersion": metadata["resourceVersion"],
    }
    return {**reference, **({"fieldPath": f"spec.containers{{{container}}}"} if container else {})}
