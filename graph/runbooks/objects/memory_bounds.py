"""What a namespace allows its containers to ask for: limit ranges and quotas, as far as memory goes.

A patch of a workload is let in whatever they say: it is the pods that are refused then, one by one.
"""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field

from graph.domain.lenient_model import Part
from graph.domain.quantities import parse_amount
from graph.runbooks.objects.answers import Sourced
from graph.runbooks.objects.pod_template import Container
from graph.runbooks.objects.workloads import Metadata, Workload

Amounts = dict[str, str | int]


class _Limit(Part):
    type: str = ""
    max: Amounts = Field(default_factory=dict)
    max_limit_request_ratio: Amounts = Field(default_factory=dict)


class _Limits(Part):
    limits: tuple[_Limit, ...] = ()


class LimitRange(Part):
    """What single containers and pods may have at most."""

    metadata: Metadata
    spec: _Limits = _Limits()


class _Use(Part):
    hard: Amounts = Field(default_factory=dict)
    used: Amounts = Field(default_factory=dict)


class Quota(Part):
    """What a namespace may have in all, and how much of it is used."""

    metadata: Metadata
    status: _Use = _Use()


Bounds = tuple[Sourced[tuple[LimitRange, ...]] | None, Sourced[tuple[Quota, ...]] | None]


def refuse_memory(bounds: Bounds, workload: Workload, container: Container, size: int) -> str:
    """Return why the API server would refuse pods whose container has a memory limit of so many bytes.

    Empty where nothing that could be read speaks against it.
    """
    ranges, quotas = bounds
    beside = (each for each in workload.pod_spec.containers if each.name != container.name)
    others = sum((_memory(each, "limits") for each in beside), Decimal())
    pod, wanted = others + size, Decimal(size)
    reasons = (
        *(_exceeded(each, container, wanted, pod) for each in (ranges.value if ranges else ())),
        *(_exhausted(each, workload, container, wanted, pod) for each in (quotas.value if quotas else ())),
    )
    return next(filter(None, (reason for each in reasons for reason in each)), "")


def list_sources(bounds: Bounds) -> tuple[str, ...]:
    """Return the ids of the evidence."""
    return tuple(each.evidence for each in bounds if each)


def _exceeded(found: LimitRange, container: Container, wanted: Decimal, pod: Decimal) -> Iterator[str]:
    name = found.metadata.name
    for limit in found.spec.limits:
        most = _amount(limit.max)
        asked = {"Container": wanted, "Pod": pod}.get(limit.type)
        if most is not None and asked is not None and asked > most:
            yield f"LimitRange {name} allows at most {limit.max['memory']} of memory per {limit.type}"
        ratio, request = _amount(limit.max_limit_request_ratio), _memory(container, "requests")
        if limit.type == "Container" and ratio and request and wanted > ratio * request:
            yield f"LimitRange {name} allows a limit of at most {ratio} times the request"


def _exhausted(
    quota: Quota, workload: Workload, container: Container, wanted: Decimal, pod: Decimal
) -> Iterator[str]:
    # without a request of its own a container requests as much as its limit
    names = ("limits.memory", *(() if _memory(container, "requests") else ("requests.memory", "memory")))
    for name in names:
        most, used = _amount(quota.status.hard, name), _amount(quota.status.used, name)
        if most is None or used is None:
            continue
        more = (wanted - _memory(container, "limits")) * workload.counts[0]
        # a Deployment starts a new pod before it ends an old one
        needed = max(more, pod) if workload.kind == "Deployment" else more
        if needed > most - used:
            taken = f"{quota.status.used[name]} of {quota.status.hard[name]} of {name} in use"
            yield f"ResourceQuota {quota.metadata.name} has {taken}"


def _memory(container: Container, group: str) -> Decimal:
    amounts = container.resources.limits if group == "limits" else container.resources.requests
    return _amount(amounts) or Decimal()


def _amount(amounts: Amounts, name: str = "memory") -> Decimal | None:
    return parse_amount(amounts[name]) if name in amounts else None
