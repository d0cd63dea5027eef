"""Which port to propose for a probe that knocks at the wrong one, best first, and where each comes from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from graph.domain.diagnosis import Confidence, Grounding
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced
from graph.runbooks.objects.finding import Remedy
from graph.runbooks.objects.pod_template import Container, Probe
from graph.runbooks.objects.similar_names import find_nearest

ProbeField = Literal["readinessProbe", "livenessProbe", "startupProbe"]
_HTTP_NAMES = ("http", "web", "https")
_HIGHEST_PORT = 65535
# on every address: what listens on 127.0.0.1 alone is out of a probe's reach
_LISTENS = re.compile(
    r"\b(?:listen|serv|start|running|bound)\w{0,8}\b[^\n]{0,60}?\b(?:on|at|address|addr|ports?(?:\(s\))?)"
    r"[ =:\"']{0,4}(?:https?://|tcp://)?(?:0\.0\.0\.0|\[::\]|\*)?:?(?P<port>[1-9]\d{1,4})\b(?![.:\d])",
    re.IGNORECASE,
)
# what programs write once they serve: nginx, Redis, PostgreSQL, MySQL, Spring, Express, uvicorn, puma, …
_UP = re.compile(
    r"\blistening\b|\bready to accept\b|\bready for connections\b|start worker process"
    r"|\bstarted \w+ in [\d.]+ ?(?:s|ms|seconds)\b|\bapplication startup complete\b"
    r"|\b(?:server|http|grpc|service|application|app) (?:is |has )?(?:now )?(?:started|running|ready)\b"
    r"|\bnow serving\b|\bstarted on port|\baccepting connections\b|\buvicorn running\b|\bready in [\d.]+",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"\b(?:not|waiting|will|until|before|initiali[sz](?:ed|ing)|failed|starting)\b|listening (?:for|to)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Misdirected:
    """One probe of a container that knocks at `port`; `handler` is the field that says so, as `httpGet`.

    `unknown`: it names a port that the container doesn't have, so that it can never be answered.
    """

    field: ProbeField
    handler: str
    port: int | str
    unknown: bool = False


def probe_of(container: Container, field: ProbeField) -> Probe | None:
    """Return one of a container's probes."""
    match field:
        case "readinessProbe":
            return container.readiness_probe
        case "livenessProbe":
            return container.liveness_probe
        case "startupProbe":
            return container.startup_probe


def matches(port: int | str, container: Container) -> bool:
    """Whether a container declares a port of that number or name."""
    wanted = int(port) if isinstance(port, str) and port.isascii() and port.isdecimal() else port
    return any(wanted in {each.container_port, each.name or None} for each in container.ports)


def find_remedies(
    snapshot: Snapshot, container: Container, probes: tuple[Misdirected, ...]
) -> Iterator[Remedy]:
    """Yield the ports to propose for all misdirected probes of one container, each once.

    Where connections are refused, only a port that is served: `containerPort` is documentation, and what
    refuses now may listen in a moment.
    """
    seen: set[int | str] = set()
    declared = all(probe.unknown for probe in probes) or (
        all(probe.field == "readinessProbe" for probe in probes) and is_up(snapshot, container)
    )
    for remedy, port in (
        *_older(snapshot, container, probes),
        *_meant(snapshot, container, probes),
        *_told(snapshot, container, probes),
        *(_declared(snapshot, container, probes) if declared else ()),
    ):
        if port not in seen:
            seen.add(port)
            yield remedy


def hear_ports(snapshot: Snapshot, container: Container) -> list[Sourced[int]]:
    """Return the ports on which the container's log says that its program listens."""
    return [
        Sourced(tail.evidence, int(match["port"]))
        for tail in snapshot.logs
        if tail.value.container == container.name
        for match in _LISTENS.finditer(tail.value.text)
    ]


def is_up(snapshot: Snapshot, container: Container) -> bool:
    """Whether the container's log says that its program has started: then nothing will listen later."""
    return any(
        _UP.search(line) and not _NOT_YET.search(line)
        for tail in snapshot.logs
        if tail.value.container == container.name
        for line in tail.value.text.splitlines()
    )


def _older(
    snapshot: Snapshot, container: Container, probes: tuple[Misdirected, ...]
) -> Iterator[tuple[Remedy, int | str]]:
    for revision in snapshot.older_revisions:
        older = revision.pod_spec.find(container.name)
        port = _shared_port(older, probes) if older else None
        if port is None or snapshot.revisions is None or any(port == probe.port for probe in probes):
            continue
        if container.ports and not matches(port, container):
            continue  # the container has moved to another port since
        basis = f"Revision {revision.revision} ({revision.metadata.name}) probed port {port}."
        source = (snapshot.revisions.evidence,)
        yield _remedy(container, probes, port, ("last_good_revision", basis, "high"), source), port


def _shared_port(older: Container, probes: tuple[Misdirected, ...]) -> int | str | None:
    """Return the one port that all of these probes used in an older revision, by the same handlers."""
    knocks = [probe.knock if (probe := probe_of(older, each.field)) else None for each in probes]
    ports = {
        knock[1] for knock, each in zip(knocks, probes, strict=True) if knock and knock[0] == each.handler
    }
    return ports.pop() if len(ports) == 1 and all(knocks) else None


def _meant(
    snapshot: Snapshot, container: Container, probes: tuple[Misdirected, ...]
) -> Iterator[tuple[Remedy, int | str]]:
    """Yield the name of a port that is a slip away from the one that the probes name."""
    wanted = {probe.port for probe in probes}
    name = wanted.pop()
    if wanted or not isinstance(name, str):
        return
    if meant := find_nearest(name, [each.name for each in container.ports if each.name]):
        basis = f"Container {container.name} names a port {meant}, and none {name}."
        source = (snapshot.workload.evidence,)
        yield _remedy(container, probes, meant, ("same_object", basis, "high"), source), meant


def _declared(
    snapshot: Snapshot, container: Container, probes: tuple[Misdirected, ...]
) -> Iterator[tuple[Remedy, int | str]]:
    ports = container.ports
    named = [each for name in _HTTP_NAMES for each in ports if each.name == name]
    chosen = ports[0] if len(ports) == 1 else (named[0] if named else None)
    if chosen is None or not 0 < chosen.container_port <= _HIGHEST_PORT:
        return
    port = chosen.container_port
    called = f", named {chosen.name}" if chosen.name in _HTTP_NAMES else ""
    only = "its only declared port" if len(ports) == 1 else "one of its declared ports"
    basis = f"Container {container.name} declares port {port}{called}, {only}."
    confidence: Confidence = "medium"
    sources = [snapshot.workload.evidence]
    if service := _service_at(snapshot, container, port):
        basis, confidence = f"{basis} Service {service} sends there, too.", "high"
        assert snapshot.services is not None, "the Service was found in it"
        sources.append(snapshot.services.evidence)
    yield _remedy(container, probes, port, ("same_object", basis, confidence), tuple(sources)), port


def _told(
    snapshot: Snapshot, container: Container, probes: tuple[Misdirected, ...]
) -> Iterator[tuple[Remedy, int | str]]:
    """Yield the one port on which the container's log says that it listens."""
    heard = hear_ports(snapshot, container)
    if len({each.value for each in heard}) != 1:
        return
    port = heard[0].value
    if 0 < port <= _HIGHEST_PORT and all(port != probe.port for probe in probes):
        origin: tuple[Grounding, str, Confidence] = (
            "evidence", f"Its log says that it listens there. ({port})", "medium",
        )  # fmt: skip
        yield _remedy(container, probes, port, origin, (heard[0].evidence,)), port


def _service_at(snapshot: Snapshot, container: Container, port: int) -> str | None:
    """Return the name of a Service that sends the workload's pods traffic on this port, or None."""
    labels = snapshot.workload.value.spec.template.metadata.labels
    names = {each.name for each in container.ports if each.container_port == port and each.name}
    for service in snapshot.services.value if snapshot.services else ():
        selector = service.spec.selector
        chosen = bool(selector) and selector.items() <= labels.items()
        if chosen and any((each.target_port or each.port) in {port, *names} for each in service.spec.ports):
            return service.metadata.name
    return None


def _remedy(
    container: Container,
    probes: tuple[Misdirected, ...],
    port: int | str,
    origin: tuple[Grounding, str, Confidence],
    evidence: tuple[str, ...],
) -> Remedy:
    grounding, basis, confidence = origin
    fields = ", ".join(each.field for each in probes)
    return Remedy(
        container=container.name,
        fields={each.field: {each.handler: {"port": port}} for each in probes},
        change=f"let the {fields} of container {container.name} use port {port}",
        grounding=grounding,
        basis=basis,
        confidence=confidence,
        evidence=evidence,
    )
