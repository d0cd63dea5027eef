"""Whose values are an example to follow: healthy neighbours of the same environment, region and tenant."""

from collections.abc import Iterator

from graph.domain.naming.identity import Identity, Labelled, identify, is_apart
from graph.domain.naming.words import split_words
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.pod_template import Container
from graph.runbooks.objects.workloads import Workload

_SCOPED = frozenset(
    {
        "env", "environment", "stage", "region", "zone", "tenant", "customer", "country", "site", "cluster",
        "brand", "org", "market", "locale",
    }
)  # fmt: skip


def identify_workload(snapshot: Snapshot) -> Identity:
    """Return whose values the workload's are."""
    return _identify(snapshot, snapshot.workload.value)


def list_names(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the names of what else is known to be in the namespace."""
    return (
        snapshot.workload.value.metadata.name,
        *(each.metadata.name for each in (snapshot.siblings.value if snapshot.siblings else ())),
        *(each.metadata.name for each in (snapshot.services.value if snapshot.services else ())),
        *(snapshot.config_maps.value if snapshot.config_maps else ()),
    )


def list_examples(snapshot: Snapshot) -> Iterator[Workload]:
    """Yield the healthy neighbours that belong where the workload does."""
    own = identify_workload(snapshot)
    for each in snapshot.siblings.value if snapshot.siblings else ():
        healthy = each.is_settled and each.counts[0] > 0
        if healthy and not is_apart(own, _identify(snapshot, each)) and not _is_set_apart(snapshot, each):
            yield each


def differ(one: Container, other: Container) -> bool:
    """Whether two containers give a variable that both set different values."""
    theirs = {each.name: each.as_patch() for each in other.env}
    return any(each.name in theirs and theirs[each.name] != each.as_patch() for each in one.env)


def _identify(snapshot: Snapshot, workload: Workload) -> Identity:
    neighbours = [
        each
        for each in (snapshot.workload.value, *(snapshot.siblings.value if snapshot.siblings else ()))
        if each.metadata.name != workload.metadata.name
    ]
    return identify(
        f"{workload.kind}/{workload.metadata.name}",
        _label(workload),
        workload.metadata.namespace,
        map(_label, neighbours),
        list_names(snapshot),
    )


def _label(workload: Workload) -> Labelled:
    return Labelled(
        workload.metadata.name, {**workload.metadata.labels, **workload.spec.template.metadata.labels}
    )


def _is_set_apart(snapshot: Snapshot, other: Workload) -> bool:
    """Whether variables such as REGION or TENANT_ID say that another place or customer is served."""
    ours, theirs = _scopes(snapshot.workload.value), _scopes(other)
    return any(name in theirs and theirs[name] != value for name, value in ours.items())


def _scopes(workload: Workload) -> dict[str, str]:
    return {
        variable.name: variable.value
        for container in workload.pod_spec.containers
        for variable in container.env
        if variable.value and _SCOPED & set(split_words(variable.name))
    }
