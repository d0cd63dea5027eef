"""A probe knocks at a port where nothing listens: propose the port of the container.

The fault is there if the container runs, the port matches none that it declares, and the kubelet reports
refused connections, or that it knows no port of that name. A probe that is answered, if only with an error,
has the right port.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from graph.runbooks.answers import Sourced, quote
from graph.runbooks.finding import Finding, combine, unique
from graph.runbooks.probe_values import Misdirected, ProbeField, find_remedies, matches, probe_of
from graph.runbooks.snapshot import Sighting, Snapshot
from graph.runbooks.templates import Container

_PROBES: tuple[tuple[ProbeField, str], ...] = (
    ("readinessProbe", "Readiness"),
    ("livenessProbe", "Liveness"),
    ("startupProbe", "Startup"),
)
# the kubelet reads a name that no port has as a number, and fails
_REFUSED = re.compile(
    r"connection refused|couldn't find port|no such port"
    r"|probe errored[^\n]{0,60}: strconv\.Atoi: parsing \S{1,80}: invalid syntax",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Fault:
    container: Container
    probes: tuple[Misdirected, ...]
    said: tuple[Sourced[str], ...]


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a running container of the newest pods is probed at a port that isn't its own."""
    faults = tuple(_faults(snapshot))
    if not faults:
        return None
    workload = snapshot.workload.value
    names = {fault.container.name for fault in faults}
    logs = (tail.evidence for tail in snapshot.logs if tail.value.container in names)
    said = (each.evidence for fault in faults for each in fault.said)
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {' and '.join(_name(fault) for fault in faults)}",
        cause=" ".join(_explain(fault) for fault in faults),
        confidence="high" if all(fault.container.ports for fault in faults) else "medium",
        evidence=unique((snapshot.workload.evidence, snapshot.pods.evidence, *said, *logs)),
        options=combine(
            workload, (tuple(find_remedies(snapshot, each.container, each.probes)) for each in faults)
        ),
        advice=tuple(_advise(fault) for fault in faults),
        prevention=(
            "Let probes name a containerPort (port: http) instead of repeating its number.",
            "Roll out with a canary, or check in CI that every probe's port is declared.",
        ),
    )


def _faults(snapshot: Snapshot) -> Iterator[_Fault]:
    seen: set[str] = set()
    for sighting in snapshot.sightings():
        container, status = sighting.wanted, sighting.status
        if container is None or status.name in seen or not _suffers(snapshot, sighting):
            continue
        said = {field: _messages(snapshot, sighting, word) for field, word in _PROBES}
        probes = tuple(_misdirected(container, sighting, said))
        if probes:
            seen.add(status.name)
            heard = tuple(message for probe in probes for message in said[probe.field])
            yield _Fault(container, probes, heard)


def _suffers(snapshot: Snapshot, sighting: Sighting) -> bool:
    """Whether the container has run and yet isn't ready, or was restarted a short while ago."""
    state = sighting.status.state
    has_run = state.running is not None or sighting.status.restart_count > 0
    return has_run and snapshot.is_unwell(sighting.status, init=False)


def _misdirected(
    container: Container, sighting: Sighting, said: dict[ProbeField, tuple[Sourced[str], ...]]
) -> Iterator[Misdirected]:
    there = sighting.pod.spec.find(container.name)
    for field, _ in _PROBES:
        probe = probe_of(container, field)
        knock = probe.knock if probe else None
        if knock is None or there is None or probe_of(there, field) != probe:
            continue  # no port, or the template has changed since this pod was made
        heard = said[field]
        refused = bool(heard) and all(_REFUSED.search(message.value) for message in heard)
        if refused and not matches(knock[1], container):
            yield Misdirected(field, *knock)


def _messages(snapshot: Snapshot, sighting: Sighting, word: str) -> tuple[Sourced[str], ...]:
    """Return what the kubelet said about one kind of probe of this pod."""
    return tuple(
        Sourced(event.evidence, event.value.message)
        for event in snapshot.events_of((sighting.pod,))
        if event.value.reason == "Unhealthy" and event.value.message.startswith(f"{word} probe")
    )


def _name(fault: _Fault) -> str:
    probes = " and ".join(f"{probe.field} knocks at port {quote(str(probe.port))}" for probe in fault.probes)
    return f"container {fault.container.name} fails its checks because its {probes}, where nothing listens"


def _explain(fault: _Fault) -> str:
    ports = ", ".join(str(port.container_port) for port in fault.container.ports) or "none"
    effect = (
        "the container is restarted again and again"
        if any(probe.field != "readinessProbe" for probe in fault.probes)
        else "the pod never becomes ready and gets no traffic"
    )
    said = f' The kubelet said: "{quote(fault.said[0].value)}".' if fault.said else ""
    return f"Container {fault.container.name} declares these ports: {ports}; {effect}.{said}"


def _advise(fault: _Fault) -> str:
    fields = ", ".join(probe.field for probe in fault.probes)
    return (
        f"Find out on which port container {fault.container.name} listens (its log, its configuration),"
        f" set that in its {fields}, and declare it as a containerPort."
    )
