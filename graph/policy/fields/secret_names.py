"""Which Secrets a workload's template names: a proposal names no other, but what a healthy revision did."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.kubernetes.diff import FieldChange

_POD = ("spec", "template", "spec")
_PULLING = re.compile(r"\.imagePullSecrets\[[^\]]+\]\.name$")
_SHOWING = re.compile(
    r"\.valueFrom\.secretKeyRef\.name$|\.envFrom\[\*\]\.secretRef\.name$|\.volumes\[[^\]]+\]\.secret\.secretName$"
)


@dataclass(frozen=True)
class SecretNames:
    """Names of Secrets: `shown` to the containers, and `pulling` what lets the kubelet pull their images."""

    shown: frozenset[str] = frozenset()
    pulling: frozenset[str] = frozenset()

    def __or__(self, other: "SecretNames") -> "SecretNames":
        return SecretNames(self.shown | other.shown, self.pulling | other.pulling)

    def lets(self, change: FieldChange) -> bool:
        """Whether a leaf names none but these. Credentials of a registry aren't shown to a container."""
        if change.removed:
            return True
        name = change.after if isinstance(change.after, str) else ""
        if _SHOWING.search(change.path):
            return name in self.shown
        return not _PULLING.search(change.path) or name in self.shown | self.pulling


NO_SECRETS = SecretNames()


def named_anew(effects: Iterable[FieldChange], known: SecretNames) -> Iterator[FieldChange]:
    """Yield the leaves that name another Secret than the known ones."""
    yield from (change for change in effects if not known.lets(change))


def secrets_of(workload: Mapping[str, Any]) -> SecretNames:
    """Return the Secrets that a workload's template names."""
    spec: Any = workload
    for step in _POD:
        spec = spec.get(step) if isinstance(spec, Mapping) else None
    return secrets_of_pod(spec or {})


def secrets_of_pod(spec: Mapping[str, Any]) -> SecretNames:
    """Return the Secrets that a pod's specification names."""
    pulling = (one.get("name") for one in spec.get("imagePullSecrets") or [])
    return SecretNames(frozenset(filter(None, _shown(spec))), frozenset(filter(None, pulling)))


def _shown(spec: Mapping[str, Any]) -> Iterator[str | None]:
    for container in (*(spec.get("initContainers") or []), *(spec.get("containers") or [])):
        for variable in container.get("env") or []:
            yield ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name")
        for source in container.get("envFrom") or []:
            yield (source.get("secretRef") or {}).get("name")
    for volume in spec.get("volumes") or []:
        yield (volume.get("secret") or {}).get("secretName")
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield (source.get("secret") or {}).get("name")
