"""What can be seen of a fault that no runbook knows: enough for a person to start from."""

from collections.abc import Iterator

from graph.container_status import ContainerStatus
from graph.runbooks.answers import quote
from graph.runbooks.finding import unique
from graph.runbooks.log_levels import rank_lines
from graph.runbooks.objects import Pod
from graph.runbooks.snapshot import Snapshot

_MOST = 5
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def list_symptoms(snapshot: Snapshot) -> tuple[str, ...]:
    """Return at most five things that are wrong with the workload's pods, in words, with evidence ids."""
    return unique(_symptoms(snapshot))[:_MOST]


def advise_on(snapshot: Snapshot) -> tuple[str, ...]:
    """Return where a person should look first."""
    logs = [
        f"Container {tail.value.container} wrote: {quote(line)} [{tail.evidence}]"
        for tail in snapshot.logs
        if (line := next((line for line, _ in rank_lines(tail.value.text) if line.strip()), ""))
    ]
    workload = snapshot.workload.value
    return (*logs[:_MOST], f"Look at {workload}, its pods and their events, and correct its manifest.")


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


def _symptoms(snapshot: Snapshot) -> Iterator[str]:
    source = f"[{snapshot.pods.evidence}]"
    if failed := snapshot.workload.value.condition("Failed"):
        yield f"the Job has failed: {quote(failed.reason)} [{snapshot.workload.evidence}]"
    for pod in snapshot.pods.value or snapshot.ended:
        if pod.status.reason:
            yield f"pods are {quote(pod.status.reason)}: {quote(pod.status.message)} {source}"
        for status in pod.statuses:
            if snapshot.is_unwell(status, init=pod.spec.initialises(status.name)):
                yield f"container {status.name} {_state(status)} {source}"
        if not pod.statuses:
            yield from _events(snapshot, pod)
    wanted, updated, ready = snapshot.workload.value.counts
    yield f"{ready} of {wanted} pods are ready, {updated} are up to date [{snapshot.workload.evidence}]"


def _state(status: ContainerStatus) -> str:
    end = status.state.terminated or status.last_state.terminated
    last = f", its last run ended with {quote(end.reason) or 'exit'} {end.exit_code}" if end else ""
    if waiting := status.state.waiting:
        said = f": {quote(waiting.message)}" if waiting.message else ""
        return f"waits in {quote(waiting.reason) or 'no given state'}{said}{last}"
    return f"{'runs' if status.state.running else 'has ended'}, {'' if status.ready else 'not '}ready{last}"


def _events(snapshot: Snapshot, pod: Pod) -> Iterator[str]:
    for event in snapshot.events_of((pod,)):
        yield f"{quote(event.value.reason)}: {quote(event.value.message)} [{event.evidence}]"
