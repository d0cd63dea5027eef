"""A probe is refused at a port that the container doesn't declare: propose one that is served.

A name that no port has is certainly wrong. A number may be right: `containerPort` is documentation, and a
program that is restarted while it starts refuses connections, too. So another port is proposed only where an
older revision, the log, or a declared port of a program that is up says which, and nothing speaks for this
one: an older revision that ran with it, the program's own settings, or its log.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container
from graph.runbooks.repairs.probe_candidates import (
    Misdirected,
    ProbeField,
    find_remedies,
    hear_ports,
    is_up,
    matches,
    probe_of,
)

_PROBES: tuple[tuple[ProbeField, str], ...] = (
    ("readinessProbe", "Readiness"),
    ("livenessProbe", "Liveness"),
    ("startupProbe", "Startup"),
)
# the kubelet reads a name that no port has as a number, and fails
_UNKNOWN = re.compile(
    r"couldn't find port|no such port"
    r"|probe errored[^\n]{0,60}: strconv\.Atoi: parsing \S{1,80}: invalid syntax",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"connection refused", re.IGNORECASE)


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
        cause=" ".join(_explain(snapshot, fault) for fault in faults),
        confidence="high" if all(_is_certain(snapshot, fault) for fault in faults) else "medium",
        evidence=unique((snapshot.workload.evidence, snapshot.pods.evidence, *said, *logs)),
        options=combine(workload, (_remedies(snapshot, fault) for fault in faults)),
        advice=tuple(_advise(snapshot, fault) for fault in faults),
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
        early = status.restart_count > 0 and any(_ran_with(snapshot, container.name, one) for one in probes)
        if probes and not early:  # a port that has served before, refused at the start: too early
            seen.add(status.name)
            heard = tuple(message for probe in probes for message in said[probe.field])
            yield _Fault(container, probes, heard)


def _suffers(snapshot: Snapshot, sighting: ObservedContainer) -> bool:
    """Whether the container has run and yet isn't ready, or was restarted a short while ago."""
    return sighting.status.has_run and snapshot.is_unwell(sighting.status, init=False)


def _misdirected(
    container: Container, sighting: ObservedContainer, said: dict[ProbeField, tuple[Sourced[str], ...]]
) -> Iterator[Misdirected]:
    there = sighting.pod.spec.find(container.name)
    for field, _ in _PROBES:
        probe = probe_of(container, field)
        knock = probe.knock if probe else None
        if knock is None or there is None or probe_of(there, field) != probe:
            continue  # no port, or the template has changed since this pod was made
        heard = said[field]
        unknown = bool(heard) and all(_UNKNOWN.search(message.value) for message in heard)
        refused = bool(heard) and all(_REFUSED.search(message.value) for message in heard)
        if (unknown or refused) and not matches(knock[1], container):
            yield Misdirected(field, *knock, unknown=unknown)


def _messages(snapshot: Snapshot, sighting: ObservedContainer, word: str) -> tuple[Sourced[str], ...]:
    """Return what the kubelet said about one kind of probe of this pod."""
    return tuple(
        Sourced(event.evidence, event.value.message)
        for event in snapshot.events_of((sighting.pod,))
        if event.value.reason == "Unhealthy" and event.value.message.startswith(f"{word} probe")
    )


def _remedies(snapshot: Snapshot, fault: _Fault) -> tuple[Remedy, ...]:
    if _defend(snapshot, fault):
        return ()
    return tuple(find_remedies(snapshot, fault.container, fault.probes))


def _is_certain(snapshot: Snapshot, fault: _Fault) -> bool:
    """Whether the port is certainly wrong: nothing has that name, or a program that is up isn't there."""
    if all(probe.unknown for probe in fault.probes):
        return True
    up = is_up(snapshot, fault.container) and bool(fault.container.ports)
    return up and not _defend(snapshot, fault)


def _defend(snapshot: Snapshot, fault: _Fault) -> str:
    """Return what speaks for a port that is refused, in half a sentence; empty where nothing does."""
    container = fault.container
    heard = {each.value for each in hear_ports(snapshot, container)}
    for probe in fault.probes:
        if probe.unknown:
            return ""
        if revision := _ran_with(snapshot, container.name, probe):
            return f"revision {revision} ran with the same probe"
        if probe.port in heard:
            return f"its log says that it listens on {probe.port}"
        if source := _sets(container, probe.port):
            return f"its {source} names port {probe.port}"
    return ""


def _ran_with(snapshot: Snapshot, name: str, probe: Misdirected) -> int:
    """Return the older revision that is known to have run with the same probe; 0: there is none."""
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(name)
        then = probe_of(older, probe.field) if older else None
        if past.proof and then and then.knock == (probe.handler, probe.port):
            return past.revision.revision
    return 0


def _sets(container: Container, port: int | str) -> str:
    """Return where the container's own settings name a port; empty where they don't."""
    word = re.compile(rf"(?<!\d){re.escape(str(port))}(?!\d)")
    variable = next((each.name for each in container.env if word.search((each.value or "")[:1_000])), "")
    if variable:
        return f"variable {variable}"
    words = (*container.command, *container.args)
    return "command line" if any(word.search(each[:1_000]) for each in words) else ""


def _name(fault: _Fault) -> str:
    name = fault.container.name
    if all(probe.unknown for probe in fault.probes):
        probes = " and ".join(f"{probe.field} names port {quote(str(probe.port))}" for probe in fault.probes)
        return f"container {name} fails its checks because its {probes}, which it doesn't have"
    probes = " and ".join(f"{probe.field} at port {quote(str(probe.port))}" for probe in fault.probes)
    return f"container {name} refuses the connections of its {probes}, a port that it doesn't declare"


def _explain(snapshot: Snapshot, fault: _Fault) -> str:
    ports = ", ".join(str(port.container_port) for port in fault.container.ports) or "none"
    effect = (
        "the container is restarted again and again"
        if any(probe.field != "readinessProbe" for probe in fault.probes)
        else "the pod never becomes ready and gets no traffic"
    )
    said = f' The kubelet said: "{quote(fault.said[0].value)}".' if fault.said else ""
    defence = _defend(snapshot, fault)
    doubt = f" The port may be right, and the container restarted too early: {defence}." if defence else ""
    return f"Container {fault.container.name} declares these ports: {ports}; {effect}.{said}{doubt}"


def _advise(snapshot: Snapshot, fault: _Fault) -> str:
    name, fields = fault.container.name, ", ".join(probe.field for probe in fault.probes)
    elsewhere = (
        f"find out on which port it listens (its log, its configuration), set that in its {fields}, and"
        " declare it as a containerPort."
    )
    kills = any(probe.field != "readinessProbe" for probe in fault.probes)
    if not kills or all(probe.unknown for probe in fault.probes):
        return f"For container {name} {elsewhere}"
    workload = snapshot.workload.value
    edit = f"kubectl edit {workload.kind.lower()} {workload.metadata.name} -n {workload.metadata.namespace}"
    return (
        f"If container {name} was still starting (see how far its log goes), give it a startupProbe that"
        f" waits longer ({edit}). If it was up, {elsewhere}"
    )
