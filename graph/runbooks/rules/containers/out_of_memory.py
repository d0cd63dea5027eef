"""A container is killed at its memory limit: propose a higher one.

An older revision's limit comes first; else the double, then four times the limit, never more than 8Gi.
Without a limit the node itself ran out, which no patch of the workload mends. A request stays as it is: it
was valid below the lower limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graph.domain.quantities import GIBIBYTE, MEBIBYTE, parse_bytes, write_bytes
from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.memory_bounds import list_sources, refuse_memory
from graph.runbooks.objects.pod_template import Container

_CEILING = 8 * GIBIBYTE
_MOST_TIMES = 4
# below this no container starts: such a limit is a slip of the unit (64m means 0.064 bytes)
_SMALLEST = 4 * MEBIBYTE


@dataclass(frozen=True)
class _Kill:
    container: str
    limit: str | int | None
    restarts: int
    wanted: Container | None

    @property
    def limit_bytes(self) -> int | None:
        return parse_bytes(self.limit) if self.limit is not None else None


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a container of the newest pods was killed for its memory a short while ago."""
    kills = tuple(_kills(snapshot))
    if not kills:
        return None
    workload = snapshot.workload.value
    fault = " and ".join(_fault(kill) for kill in kills)
    names = {kill.container for kill in kills}
    logs = (tail.evidence for tail in snapshot.logs if tail.value.container in names)
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {fault}",
        cause=" ".join(_explain(kill) for kill in kills),
        confidence="high",
        evidence=unique(
            (snapshot.workload.evidence, snapshot.pods.evidence, *logs, *list_sources(snapshot.bounds))
        ),
        options=combine(workload, (tuple(_remedies(snapshot, kill)) for kill in kills)),
        advice=tuple(_advise(snapshot, kill) for kill in kills),
        prevention=(
            "Measure the container's working set under real load and set limit and request from it.",
            "Alert when the working set passes 90% of the limit, before the kernel acts.",
            "Find out whether memory grows without end: then a higher limit only buys time.",
        ),
    )


def _kills(snapshot: Snapshot) -> Iterator[_Kill]:
    seen: set[str] = set()
    for sighting in snapshot.sightings():
        name = sighting.status.name
        if name in seen or not _was_killed(snapshot, sighting):
            continue
        limit = _limit(sighting.pod.spec.find(name))
        if sighting.wanted and _limit(sighting.wanted) not in {limit, None}:
            continue  # the template has changed since: this pod says nothing about it
        seen.add(name)
        yield _Kill(name, limit, sighting.status.restart_count, sighting.wanted)


def _was_killed(snapshot: Snapshot, sighting: ObservedContainer) -> bool:
    status = sighting.status
    killed = any(end.reason == "OOMKilled" for end in status.ends)
    return killed and (status.state.running is None or snapshot.crashed_lately(status))


def _limit(container: Container | None) -> str | int | None:
    return container.resources.limits.get("memory") if container else None


def _remedies(snapshot: Snapshot, kill: _Kill) -> Iterator[Remedy]:
    limit = kill.limit_bytes
    if kill.wanted is None or limit is None or _limit(kill.wanted) is None:
        return
    seen: set[int] = set()
    for remedy, size in (*_older(snapshot, kill, limit), *_larger(snapshot, kill, limit)):
        refused = refuse_memory(snapshot.bounds, snapshot.workload.value, kill.wanted, size)
        if size not in seen and not refused:
            seen.add(size)
            yield remedy


def _older(snapshot: Snapshot, kill: _Kill, limit: int) -> Iterator[tuple[Remedy, int]]:
    for revision in snapshot.older_revisions:
        quantity = _limit(revision.pod_spec.find(kill.container))
        size = parse_bytes(quantity) if quantity is not None else None
        if quantity is None or size is None or not limit < size <= _CEILING or snapshot.revisions is None:
            continue
        remedy = Remedy(
            container=kill.container,
            fields=_fields(str(quantity)),
            change=_order(kill, str(quantity)),
            grounding="last_good_revision",
            basis=f"Revision {revision.revision} ({revision.metadata.name}) had a limit of {quantity}.",
            confidence="high",
            evidence=(snapshot.revisions.evidence,),
        )
        yield remedy, size


def _larger(snapshot: Snapshot, kill: _Kill, limit: int) -> Iterator[tuple[Remedy, int]]:
    if limit < _SMALLEST:
        return
    first = _first_limit(snapshot, kill, limit)
    for times in (2, _MOST_TIMES):
        size = limit * times
        if size > min(_CEILING, first * _MOST_TIMES):
            return
        remedy = Remedy(
            container=kill.container,
            fields=_fields(write_bytes(size)),
            change=_order(kill, write_bytes(size)),
            grounding="estimate",
            basis=f"An estimate: {times} times the limit of {kill.limit}; how much it needs wasn't measured.",
            confidence="medium",
            risk="medium",
        )
        yield remedy, size


def _first_limit(snapshot: Snapshot, kill: _Kill, limit: int) -> int:
    """Return the limit before our own first estimate, so that doubling can't go on round after round."""
    tried = (
        size
        for call in snapshot.tried
        if isinstance(call.patch_data, dict)
        for size in _proposed(call.patch_data, kill.container)
    )
    return min([limit, *(size // 2 for size in tried)])


def _proposed(patch: object, container: str) -> Iterator[int]:
    """Yield the memory limits that a patch sets on a container; a person may have edited it to any shape."""
    match patch:
        case {"spec": {"template": {"spec": dict(groups)}}}:
            listed = [each for group in groups.values() if isinstance(group, list) for each in group]
        case _:
            listed = []
    for each in listed:
        match each:
            case {"name": name, "resources": {"limits": {"memory": str() | int() as quantity}}}:
                size = parse_bytes(quantity)
                if name == container and size:
                    yield size


def _fields(quantity: str) -> dict[str, dict[str, dict[str, str]]]:
    return {"resources": {"limits": {"memory": quantity}}}


def _order(kill: _Kill, quantity: str) -> str:
    return f"raise the memory limit of container {kill.container} from {kill.limit} to {quantity}"


def _fault(kill: _Kill) -> str:
    at = f"its memory limit of {quote(str(kill.limit))}" if kill.limit is not None else "the node's own limit"
    return f"container {kill.container} is killed for using more memory than {at} allows"


def _explain(kill: _Kill) -> str:
    restarts = f"it was restarted {kill.restarts} times" if kill.restarts != 1 else "it was restarted once"
    if kill.limit is None:
        return f"Container {kill.container} was OOMKilled without a limit: its node ran out; {restarts}."
    limit = quote(str(kill.limit))
    return f"Container {kill.container} was OOMKilled at its memory limit of {limit}; {restarts}."


def _advise(snapshot: Snapshot, kill: _Kill) -> str:
    name, limit = kill.container, kill.limit_bytes
    workload = snapshot.workload.value
    bound = refuse_memory(snapshot.bounds, workload, kill.wanted, 2 * limit) if kill.wanted and limit else ""
    if bound:
        return (
            f"Container {name} can't be given twice its {quote(str(kill.limit))}: {bound}. Have that raised"
            f" (kubectl describe limitrange,quota -n {workload.metadata.namespace}), or make the program need"
            " less."
        )
    if kill.limit is None:
        return (
            f"Container {name} has no memory limit, so its node ran out of memory: look at what else runs on"
            f" that node, and give {name} a request and a limit that were measured."
        )
    if kill.limit_bytes is not None and kill.limit_bytes < _SMALLEST:
        return (
            f"The memory limit {quote(str(kill.limit))} of container {name} is too small for any container:"
            " its unit is probably wrong (m means thousandths of a byte; write Mi)."
        )
    return (
        f"Profile the memory of container {name}: a limit above {quote(str(kill.limit))} can't be proposed"
        " without knowing what it needs (a leak?)."
    )
