"""Containers that end by themselves: who, and what they said before."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from graph.cluster.container_status import CANNOT_START, Terminated
from graph.runbooks.evidence.log_levels import rank_lines
from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot
from graph.runbooks.objects.answers import Sourced
from graph.runbooks.objects.pod_template import Container

_TERMINATED_BY_SIGNAL = frozenset({137, 143})
_BACK_OFF = re.compile(r"back-off \S+ restarting failed container", re.IGNORECASE)


@dataclass(frozen=True)
class Crash:
    """One container of the template that crashes. `said` are its last lines and the kubelet's words on it."""

    container: Container
    sighting: ObservedContainer
    end: Terminated | None
    said: tuple[Sourced[str], ...]

    @property
    def name(self) -> str:
        """The container's name."""
        return self.container.name

    @property
    def last_words(self) -> Sourced[str] | None:
        """Return the line that says most about the end: that the kubelet backs off says nothing."""
        telling = (line for line in self.said if line.value.strip() and not _BACK_OFF.match(line.value))
        return next(telling, None)


def list_crashes(snapshot: Snapshot) -> Iterator[Crash]:
    """Yield each container that ended with an error a short while ago, or can't be started, once."""
    seen: set[str] = set()
    for sighting in snapshot.sightings():
        container, name = sighting.wanted, sighting.status.name
        if container is None or name in seen or not _has_crashed(snapshot, sighting):
            continue
        if _as_made(sighting) != _as_written(container):
            continue  # the template has changed since this pod was made
        seen.add(name)
        yield Crash(container, sighting, find_end(sighting), tuple(hear(snapshot, sighting)))


def find_end(sighting: ObservedContainer) -> Terminated | None:
    """Return how the container's last run ended, or None if it hasn't run."""
    return next(iter(sighting.status.ends), None)


def hear(snapshot: Snapshot, sighting: ObservedContainer) -> Iterator[Sourced[str]]:
    """Yield what is said about a container, line by line: the kubelet first, then its log's gravest lines."""
    waiting, ends = sighting.status.state.waiting, sighting.status.ends
    for message in (waiting.message if waiting else "", *(end.message for end in ends)):
        if message:
            yield Sourced(snapshot.pods.evidence, message)
    for event in snapshot.events_of((sighting.pod,), "Failed"):
        yield Sourced(event.evidence, event.value.message)
    for tail in snapshot.logs:
        if tail.value.container == sighting.status.name:
            for line, _ in rank_lines(tail.value.text):
                yield Sourced(tail.evidence, line)


def _has_crashed(snapshot: Snapshot, sighting: ObservedContainer) -> bool:
    status, end = sighting.status, find_end(sighting)
    if end is None:
        waiting = status.state.waiting
        return waiting is not None and waiting.reason in CANNOT_START
    if end.reason == "OOMKilled" or (end.exit_code == 0 and end.reason == "Completed"):
        return False
    killed = end.exit_code in _TERMINATED_BY_SIGNAL and any(
        event.value.message.startswith(("Liveness probe", "Startup probe"))
        for event in snapshot.events_of((sighting.pod,), "Unhealthy")
    )
    return not killed and (status.state.running is None or snapshot.crashed_lately(status))


def _as_made(sighting: ObservedContainer) -> tuple[object, ...] | None:
    made = sighting.pod.spec.find(sighting.status.name)
    return _as_written(made) if made else None


def _as_written(container: Container) -> tuple[object, ...]:
    return container.image, container.command, container.args, container.env
