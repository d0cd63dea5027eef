"""A program can't resolve a host that its environment or arguments name: propose the Service it means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graph.runbooks.evidence.crashes import hear
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.repairs.examples import list_names

_HOST = r"(?P<host>[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)"
_WORDINGS = (
    re.compile(rf"\blookup {_HOST}\.?(?: on [\[\]0-9a-f.:]+)?: no such host"),
    re.compile(rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_HOST}"),
    re.compile(rf'could not translate host name "{_HOST}" to address'),
    re.compile(rf"UnknownHostException: {_HOST}\b"),
    re.compile(rf"[Cc]ould(?:n't| not) resolve (?:host|proxy)(?: name)?:? ['\"]?{_HOST}\b"),
    re.compile(rf"Unknown MySQL server host '{_HOST}'"),
    re.compile(rf'host not found in upstream "{_HOST}(?::\d+)?"'),
    re.compile(
        rf"\b(?:host|hostname|resolve|lookup) ['\"]?{_HOST}['\"]?:? .{{0,60}}Name or service not known"
    ),
)
_LONGEST_VALUE = 4_000


@dataclass(frozen=True)
class _Stray:
    """A host that isn't found. `service` is its first label where it can only be one of this namespace's."""

    container: Container
    host: str
    service: str
    said: Sourced[str]


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a container looks for a Service that its namespace doesn't have, or None."""
    strays = tuple(_strays(snapshot))
    if not strays or snapshot.services is None:
        return None
    workload = snapshot.workload.value
    named = " and ".join(f"container {each.container.name} looks for host {each.host}" for each in strays)
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {named}, and there is no such Service",
        cause=" ".join(
            f'Container {each.container.name} wrote: "{quote(each.said.value)}". Namespace'
            f" {workload.metadata.namespace} has no Service {each.service}."
            for each in strays
        ),
        confidence="high",
        evidence=unique(
            (
                snapshot.workload.evidence,
                snapshot.services.evidence,
                *(each.said.evidence for each in strays),
            )
        ),
        options=combine(workload, (tuple(_remedies(snapshot, each)) for each in strays)),
        advice=tuple(_advise(snapshot, each) for each in strays),
        prevention=("Take host names from one place, and check in CI that each Service they name exists.",),
    )


def _strays(snapshot: Snapshot) -> Iterator[_Stray]:
    seen: set[str] = set()
    namespace = snapshot.workload.value.metadata.namespace
    there = {each.metadata.name for each in snapshot.services.value} if snapshot.services else set[str]()
    for sighting in snapshot.sightings():
        container = sighting.wanted
        unwell = snapshot.is_unwell(sighting.status, init=sighting.pod.spec.initialises(sighting.status.name))
        if container is None or container.name in seen or not unwell:
            continue
        for line in hear(snapshot, sighting):
            host = read_host(line.value)
            service = as_service(host, namespace)
            if service and service not in there:
                seen.add(container.name)
                yield _Stray(container, host, service, line)
                break


def read_host(line: str) -> str:
    """Return the host that a line says isn't found, or an empty text."""
    # the registry's host, which a failed pull names, is no affair of the program
    if "pull image" in line or "failed to resolve reference" in line:
        return ""
    found = (wording.search(line[:1_000]) for wording in _WORDINGS)
    return next((match["host"] for match in found if match), "")


def as_service(host: str, namespace: str) -> str:
    """Return the Service of this namespace that a host name can only mean, or an empty text."""
    name, _, rest = host.partition(".")
    own = {"", namespace, f"{namespace}.svc", f"{namespace}.svc.cluster.local"}
    return name if rest.rstrip(".") in own and name != "localhost" else ""


def _remedies(snapshot: Snapshot, stray: _Stray) -> Iterator[Remedy]:
    assert snapshot.services is not None, "without Services there is no finding"
    services = [each.metadata.name for each in snapshot.services.value]
    seen: set[str] = set()
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(stray.container.name)
        if older is None:
            continue
        then = {each.name: each for each in older.env}
        changed = [
            then[each.name].as_patch()
            for each in stray.container.env
            if _mentions(each.value, stray.host)
            and each.name in then
            and then[each.name].value
            and not _mentions(then[each.name].value, stray.host)
        ]
        if changed and str(changed) not in seen:
            seen.add(str(changed))
            names = ", ".join(str(each["name"]) for each in changed)
            yield Remedy(
                container=stray.container.name,
                fields={"env": changed},
                change=f"give {names} of container {stray.container.name} its earlier value",
                grounding="last_good_revision",
                basis=past.tell(f"had another host in {names}"),
                confidence=past.confidence,
                evidence=past.evidence,
            )
    nearest = find_nearest(stray.service, services, list_names(snapshot))
    fields = _renamed(stray, nearest) if nearest else {}
    if nearest and fields:
        yield Remedy(
            container=stray.container.name,
            fields=fields,
            change=f"let container {stray.container.name} look for {nearest} instead of {stray.service}",
            grounding="evidence",
            basis=f"Service {nearest} exists, and no other name is as near to {stray.service}.",
            confidence="medium",
            risk="medium",
            evidence=(snapshot.services.evidence,),
        )


def _renamed(stray: _Stray, service: str) -> dict[str, Any]:
    """Return the container's fields with the Service's name wherever they name the stray host."""
    host = service + stray.host[len(stray.service) :]
    variables = [
        {"name": each.name, "value": _replace(each.value or "", stray.host, host)}
        for each in stray.container.env
        if _mentions(each.value, stray.host)
    ]
    fields: dict[str, Any] = {"env": variables} if variables else {}
    for field, words in (("command", stray.container.command), ("args", stray.container.args)):
        if any(_mentions(word, stray.host) for word in words):
            fields[field] = [_replace(word, stray.host, host) for word in words]
    return fields


def _mentions(value: str | None, host: str) -> bool:
    return bool(value) and _token(host).search((value or "")[:_LONGEST_VALUE]) is not None


def _replace(value: str, host: str, other: str) -> str:
    return _token(host).sub(other, value)


def _token(host: str) -> re.Pattern[str]:
    """Match the host where it stands for one: not as a part of a longer name, a path or a user."""
    return re.compile(
        rf"(?<![-\w./]){re.escape(host)}(?![-\w.@])|(?<=://){re.escape(host)}(?![-\w.@])|(?<=@){re.escape(host)}(?![-\w.])"
    )


def _advise(snapshot: Snapshot, stray: _Stray) -> str:
    namespace = snapshot.workload.value.metadata.namespace
    sources = [each.name for each in stray.container.env if _mentions(each.value, stray.host)]
    where = f"its variable {', '.join(sources)}" if sources else "its configuration (not in its environment)"
    return (
        f"Find out which Service container {stray.container.name} means by {stray.host}: {where} names it."
        f" kubectl get services -n {namespace} lists those that exist; make {stray.service}, or"
        " correct the name."
    )
