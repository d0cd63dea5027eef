"""Whether things are still moving, and how long that is worth waiting for."""

from graph.runbooks.evidence.decisive_lines import find_telling
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.evidence.unwell_containers import find_blocker

_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_LOOKS, _LOOKS_IN_CIRCLES = 3, 1
_OFTEN = 3


def is_settling(snapshot: Snapshot) -> bool:
    """Whether containers are only just being made: what is wrong with them may show in a moment.

    The states that a crash loop passes through are no progress: nor is the main container's wait for an init
    container that crash-loops, nor a rollout that waits for such a pod.
    """
    workload = snapshot.workload.value
    if workload.condition("Failed"):
        return False  # a Job that was given up
    if any(map(snapshot.is_crash_looping, snapshot.sightings())):
        return False
    wanted, updated, _ = workload.counts
    waiting = [one.state.waiting for pod in snapshot.pods.value for one in pod.statuses]
    starting = any(state and state.reason in _STARTING for state in waiting)
    return starting or updated < wanted


def most_looks(snapshot: Snapshot) -> int:
    """Return how often to look again: once where it goes round in circles, since nothing new will show."""
    often = any(event.value.times >= _OFTEN for event in snapshot.events_of(snapshot.pods.value))
    refused = next(snapshot.refusals(), None) is not None
    return _LOOKS_IN_CIRCLES if often or refused or _waits_in_vain(snapshot) else _LOOKS


def _waits_in_vain(snapshot: Snapshot) -> bool:
    """Whether an init container that the others wait for already writes what it lacks."""
    blockers = {one.name for pod in snapshot.pods.value if (one := find_blocker(pod))}
    found = (find_telling(log.value.text) for log in snapshot.logs if log.value.container in blockers)
    return any(line is not None and line.is_telling for line in found)
