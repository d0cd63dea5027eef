"""A probe reaches the program, and asks for the wrong thing: a path, a scheme, or too early.

An answer of 5xx is the program's own: it says that it isn't well. Only what an older revision probed, another
probe of the same container that succeeds, or the error itself tells what to ask for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from graph.domain.naming.words import count_slips
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container, Probe
from graph.runbooks.repairs.probe_candidates import ProbeField, matches, probe_of

_PROBES: tuple[tuple[ProbeField, str], ...] = (
    ("readinessProbe", "Readiness"),
    ("livenessProbe", "Liveness"),
    ("startupProbe", "Startup"),
)
Wrong = Literal["path", "scheme", "early", "timeout"]
_NOT_FOUND = re.compile(r"HTTP probe failed with statuscode: (?:404|410)\b")
_PLAIN = re.compile(r"server gave HTTP response to HTTPS client")
_TLS = re.compile(r"client sent an HTTP request to an HTTPS server", re.IGNORECASE)
_BAD_REQUEST = re.compile(r"HTTP probe failed with statuscode: 400\b")
_REFUSED = re.compile(r"connection refused", re.IGNORECASE)
_SLOW = re.compile(r"deadline exceeded|Client\.Timeout|i/o timeout|timed out", re.IGNORECASE)
_NEAR = 2


@dataclass(frozen=True)
class _Fault:
    container: Container
    field: ProbeField
    probe: Probe
    wrong: Wrong
    said: Sourced[str]


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if probes of the newest pods ask for the wrong thing, or None."""
    faults = tuple(_faults(snapshot))
    if not faults:
        return None
    workload = snapshot.workload.value
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {' and '.join(_name(each) for each in faults)}",
        cause=" ".join(f'The kubelet said: "{quote(each.said.value)}".' for each in faults),
        confidence="high" if all(each.wrong in {"path", "scheme"} for each in faults) else "medium",
        evidence=unique(
            (snapshot.workload.evidence, snapshot.pods.evidence, *(each.said.evidence for each in faults))
        ),
        options=combine(workload, (tuple(_remedies(snapshot, each)) for each in faults)),
        advice=tuple(_advise(snapshot, each) for each in faults),
        prevention=(
            "Test probes against the image in CI, and change them together with the program.",
            "Give programs that start slowly a startupProbe instead of a patient livenessProbe.",
        ),
    )


def _faults(snapshot: Snapshot) -> Iterator[_Fault]:
    seen: set[tuple[str, str]] = set()
    for sighting in snapshot.sightings():
        container = sighting.wanted
        if container is None or not _has_run(snapshot, sighting):
            continue
        there = sighting.pod.spec.find(container.name)
        for field, word in _PROBES:
            probe = probe_of(container, field)
            if (
                probe is None
                or there is None
                or probe_of(there, field) != probe
                or (container.name, field) in seen
            ):
                continue
            said = next(_messages(snapshot, sighting, word), None)
            kills = field != "readinessProbe" and bool(sighting.status.restart_count or sighting.status.ends)
            wrong = _classify(snapshot, container, probe, said.value, kills=kills) if said else None
            if said and wrong:
                seen.add((container.name, field))
                yield _Fault(container, field, probe, wrong, said)


def _has_run(snapshot: Snapshot, sighting: ObservedContainer) -> bool:
    return sighting.status.has_run and snapshot.is_unwell(sighting.status, init=False)


def _messages(snapshot: Snapshot, sighting: ObservedContainer, word: str) -> Iterator[Sourced[str]]:
    for event in snapshot.events_of((sighting.pod,), "Unhealthy"):
        if event.value.message.startswith(f"{word} probe"):
            yield Sourced(event.evidence, event.value.message)


def _classify(
    snapshot: Snapshot, container: Container, probe: Probe, message: str, *, kills: bool
) -> Wrong | None:
    if probe.http_get and _NOT_FOUND.search(message):
        return "path"
    if probe.http_get and _PLAIN.search(message):
        return "scheme"
    if probe.http_get and _BAD_REQUEST.search(message) and _log_says(snapshot, container, _TLS):
        return "scheme"
    knock = probe.knock
    if kills and _REFUSED.search(message) and knock:
        before = (past.revision.pod_spec.find(container.name) for past in list_past(snapshot) if past.proof)
        same = any(each and knock in _knocks(each) for each in before)
        return "early" if same or matches(knock[1], container) else None
    return "timeout" if kills and _SLOW.search(message) else None


def _knocks(container: Container) -> Iterator[tuple[str, int | str]]:
    for field, _ in _PROBES:
        if (probe := probe_of(container, field)) and probe.knock:
            yield probe.knock


def _log_says(snapshot: Snapshot, container: Container, wording: re.Pattern[str]) -> bool:
    tails = (tail.value for tail in snapshot.logs if tail.value.container == container.name)
    return any(wording.search(tail.text) for tail in tails)


def _remedies(snapshot: Snapshot, fault: _Fault) -> Iterator[Remedy]:
    seen: list[dict[str, Any]] = []
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(fault.container.name)
        then = probe_of(older, fault.field) if older else None
        fields = _restored(fault, then) if then else {}
        if then and fields and fields not in seen:
            seen.append(fields)
            yield Remedy(
                container=fault.container.name,
                fields={fault.field: fields},
                change=f"let the {fault.field} of container {fault.container.name} ask as before",
                grounding="last_good_revision",
                basis=past.tell(f"probed so: {_write(fields)}"),
                confidence=past.confidence,
                evidence=past.evidence,
            )
    if fault.wrong == "scheme":
        yield _other_scheme(fault)
    if fault.wrong == "path":
        yield from _other_probe(snapshot, fault, seen)


def _restored(fault: _Fault, then: Probe) -> dict[str, Any]:
    """Return what the older probe had otherwise, as far as it bears on this fault."""
    now = fault.probe
    match fault.wrong:
        case "path" if then.http_get and now.http_get and then.http_get.path != now.http_get.path:
            return {"httpGet": {"path": then.http_get.path}}
        case "scheme" if then.http_get and now.http_get and then.http_get.scheme != now.http_get.scheme:
            return {"httpGet": {"scheme": then.http_get.scheme}}
        case "early" if then.patience > now.patience:
            return {
                "initialDelaySeconds": then.initial_delay_seconds,
                "periodSeconds": then.period_seconds,
                "failureThreshold": then.failure_threshold,
            }
        case "timeout" if then.timeout_seconds > now.timeout_seconds:
            return {"timeoutSeconds": then.timeout_seconds}
    return {}


def _other_scheme(fault: _Fault) -> Remedy:
    scheme = "HTTP" if _PLAIN.search(fault.said.value) else "HTTPS"
    return Remedy(
        container=fault.container.name,
        fields={fault.field: {"httpGet": {"scheme": scheme}}},
        change=f"let the {fault.field} of container {fault.container.name} speak {scheme}",
        grounding="evidence",
        basis=f"The program itself answers that it speaks {scheme}.",
        confidence="high",
        evidence=(fault.said.evidence,),
    )


def _other_probe(snapshot: Snapshot, fault: _Fault, seen: list[dict[str, Any]]) -> Iterator[Remedy]:
    """Yield the path of another probe at the same port that doesn't fail, if it is a slip away."""
    path = fault.probe.http_get.path if fault.probe.http_get else ""
    failing = {
        each
        for each, word in _PROBES
        for s in snapshot.sightings()
        if next(_messages(snapshot, s, word), None)
    }
    for field, _ in _PROBES:
        probe = probe_of(fault.container, field)
        good = probe.http_get if probe and field not in failing else None
        if good is None or probe is None or probe.knock != fault.probe.knock or good.path == path:
            continue
        fields = {"httpGet": {"path": good.path}}
        if fields in seen or count_slips(good.path[:200], path[:200]) > _NEAR:
            continue
        yield Remedy(
            container=fault.container.name,
            fields={fault.field: fields},
            change=f"let the {fault.field} of container {fault.container.name} ask for {good.path}",
            grounding="same_object",
            basis=f"Its {field} asks for {good.path} at the same port and doesn't fail; {path} is a slip.",
            confidence="medium",
            risk="medium",
            evidence=(snapshot.workload.evidence,),
        )


def _name(fault: _Fault) -> str:
    name, at = fault.container.name, fault.probe.http_get
    match fault.wrong:
        case "path":
            path = quote(at.path) if at else ""
            return f"the {fault.field} of container {name} asks for {path}, which isn't there"
        case "scheme":
            scheme = quote(at.scheme) if at else ""
            return f"the {fault.field} of container {name} speaks {scheme}, the program doesn't"
        case "early":
            return f"the {fault.field} restarts container {name} before it listens"
        case "timeout":
            return f"container {name} doesn't answer its {fault.field} in time and is restarted"


def _advise(snapshot: Snapshot, fault: _Fault) -> str:
    workload, name = snapshot.workload.value, fault.container.name
    edit = f"kubectl edit {workload.kind.lower()} {workload.metadata.name} -n {workload.metadata.namespace}"
    match fault.wrong:
        case "path" | "scheme":
            return (
                f"Find out where container {name} answers checks, and set its {fault.field} to that: {edit}"
            )
        case "early":
            return (
                f"Find out how long container {name} takes to start (its log), and give it a"
                " startupProbe or a longer"
                f" initialDelaySeconds than {fault.probe.initial_delay_seconds} s: {edit}"
            )
        case "timeout":
            return (
                f"Find out why container {name} takes more than {fault.probe.timeout_seconds} s to"
                " answer (CPU limit,"
                f" load, a dependency), and raise timeoutSeconds of its {fault.field} if that is"
                f" normal: {edit}"
            )


def _write(fields: dict[str, Any]) -> str:
    return quote(", ".join(f"{key} {value}" for key, value in fields.items()))
