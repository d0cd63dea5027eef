"""What stands between users and healthy pods, as it is read where the pods are well and the alert fires."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from graph.domain.diagnosis import ReadCall
from graph.runbooks.evidence.reads import list_all, list_everywhere
from graph.runbooks.objects.answers import Answers, Sourced
from graph.runbooks.objects.neighbours import Named, Service
from graph.runbooks.objects.network import Autoscaler, Budget, Endpoints, Ingress, Policy
from graph.runbooks.objects.workloads import Items

# a budget that allows nothing is often meant so: it is a fault only where somebody wants to disrupt
_DISRUPTION = re.compile(r"pdb|disruption|drain|evict|node.*upgrade", re.IGNORECASE)
_INGRESS = re.compile(r"ingress|5xx|http|probe|blackbox|endpoint", re.IGNORECASE)


@dataclass(frozen=True)
class Front:
    """Services and what else is before the pods. What couldn't be read, or not whole, is None."""

    services: Sourced[tuple[Service, ...]] | None = None
    endpoints: Sourced[tuple[Endpoints, ...]] | None = None
    ingresses: Sourced[tuple[Ingress, ...]] | None = None
    classes: Sourced[tuple[Named, ...]] | None = None
    autoscalers: Sourced[tuple[Autoscaler, ...]] | None = None
    budgets: Sourced[tuple[Budget, ...]] | None = None
    policies: Sourced[tuple[Policy, ...]] | None = None


def list_front(namespace: str, alerts: Sequence[str]) -> tuple[ReadCall, ...]:
    """Return the calls that read it; budgets and Ingress classes only for alerts that may be about them."""
    kinds = ("services", "endpoints", "ingresses", "horizontalpodautoscalers", "networkpolicies")
    calls = [list_all(kind, namespace) for kind in kinds]
    if any(_DISRUPTION.search(name) for name in alerts):
        calls.append(list_all("poddisruptionbudgets", namespace))
    if any(_INGRESS.search(name) for name in alerts):
        calls.append(list_everywhere("ingressclasses"))
    return tuple(calls)


def read_front(answers: Answers, namespace: str) -> Front:
    """Return what those calls answered."""
    return Front(
        services=_whole(answers.read(list_all("services", namespace), Items[Service])),
        endpoints=_whole(answers.read(list_all("endpoints", namespace), Items[Endpoints])),
        ingresses=_whole(answers.read(list_all("ingresses", namespace), Items[Ingress])),
        classes=_whole(answers.read(list_everywhere("ingressclasses"), Items[Named])),
        autoscalers=_whole(answers.read(list_all("horizontalpodautoscalers", namespace), Items[Autoscaler])),
        budgets=_whole(answers.read(list_all("poddisruptionbudgets", namespace), Items[Budget])),
        policies=_whole(answers.read(list_all("networkpolicies", namespace), Items[Policy])),
    )


T = TypeVar("T")


def _whole(found: Sourced[Items[T]] | None) -> Sourced[tuple[T, ...]] | None:
    """Return a list's items: of one that was cut nothing can be said to be missing."""
    return Sourced(found.evidence, found.value.items) if found and not found.value.truncated else None
