"""A container can't be made because a ConfigMap, a Secret, or a key of one isn't there.

What an older revision named at the same places comes first, then the nearest existing name. A Secret's name
is only corrected to one that a revision of this workload ran with; what a neighbour names is advice.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.config_references import SourceKind, find_volume_key, list_uses, rekey, rename
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.repairs.examples import list_examples, list_names

_NAMED = r"(?P<name>[a-z0-9][-a-z0-9.]{0,252})"
_ABSENT = re.compile(rf'^(?:.{{0,400}}: )?(?P<kind>configmap|secret) "{_NAMED}" not found$', re.DOTALL)
_KEYLESS = re.compile(
    rf"^couldn't find key (?P<key>[-._a-zA-Z0-9]{{1,253}}) in (?P<kind>ConfigMap|Secret) [^/\s]+/{_NAMED}$"
)
_KINDS: dict[str, SourceKind] = {
    "configmap": "ConfigMap", "secret": "Secret", "ConfigMap": "ConfigMap", "Secret": "Secret",
}  # fmt: skip


@dataclass(frozen=True)
class _Missing:
    """What isn't there: a whole object, or (with `key`) one of its entries."""

    kind: SourceKind
    name: str
    key: str = ""

    def __str__(self) -> str:
        return f"key {self.key} of {self.kind} {self.name}" if self.key else f"{self.kind} {self.name}"


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if containers of the newest pods wait for configuration that isn't there, or None."""
    missing: dict[_Missing, Sourced[str]] = {}
    for one, said in _missing(snapshot):
        if not _exists(snapshot, one) and _is_wanted(snapshot, one):
            missing.setdefault(one, said)
    if not missing:
        return None
    workload = snapshot.workload.value
    listed = " and ".join(map(str, missing))
    said = next(iter(missing.values()))
    return Finding(
        subject=workload.target,
        fault=f"{workload}: containers can't be made because {listed} doesn't exist",
        cause=(
            f"The template names {listed}, which namespace {workload.metadata.namespace} doesn't have."
            f' The kubelet said: "{quote(said.value)}".'
        ),
        confidence="high",
        evidence=unique(
            (
                snapshot.workload.evidence,
                *(each.evidence for each in missing.values()),
                *((snapshot.config_maps.evidence,) if snapshot.config_maps else ()),
            )
        ),
        options=combine(workload, (tuple(_remedies(snapshot, one)) for one in missing)),
        advice=tuple(_advise(snapshot, one) for one in missing),
        prevention=(
            "Deploy ConfigMaps and Secrets together with what names them, and check references in CI.",
            "Generate names from one place (Kustomize, Helm), so that they can't drift apart.",
        ),
    )


def _missing(snapshot: Snapshot) -> Iterator[tuple[_Missing, Sourced[str]]]:
    for sighting in snapshot.sightings():
        waiting = sighting.status.state.waiting
        if waiting and waiting.reason == "CreateContainerConfigError" and (one := _read(waiting.message)):
            yield one, Sourced(snapshot.pods.evidence, waiting.message)
    for event in snapshot.events_of(snapshot.unmade_pods, "FailedMount"):
        if one := _read(event.value.message) or _read_volume(snapshot, event.value.message):
            yield one, Sourced(event.evidence, event.value.message)


def _read(message: str) -> _Missing | None:
    if match := _KEYLESS.match(message.strip()):
        return _Missing(_KINDS[match["kind"]], match["name"], match["key"])
    if match := _ABSENT.match(message.strip()):
        return _Missing(_KINDS[match["kind"]], match["name"])
    return None


def _read_volume(snapshot: Snapshot, message: str) -> _Missing | None:
    found = find_volume_key(snapshot.template, message)
    return _Missing(*found) if found else None


def _exists(snapshot: Snapshot, one: _Missing) -> bool:
    """Whether it has been made since: the kubelet finds it by itself then."""
    if one.kind == "Secret":
        return False
    if one.key:
        return any(
            one.name == each.value.metadata.name and one.key in each.value.keys for each in snapshot.keys
        )
    return snapshot.config_maps is not None and one.name in snapshot.config_maps.value


def _is_wanted(snapshot: Snapshot, one: _Missing) -> bool:
    """Whether the template still names it: an event may be of a pod from before the last change."""
    uses = list_uses(snapshot.template)
    return any((use.kind, use.name) == (one.kind, one.name) and one.key in {"", use.key} for use in uses)


def _remedies(snapshot: Snapshot, one: _Missing) -> Iterator[Remedy]:
    seen = {one.name if not one.key else one.key}
    for remedy, value in (*_older(snapshot, one), *_nearest(snapshot, one)):
        if value not in seen:
            seen.add(value)
            yield remedy


def _older(snapshot: Snapshot, one: _Missing) -> Iterator[tuple[Remedy, str]]:
    places = {
        use.place
        for use in list_uses(snapshot.template)
        if (use.kind, use.name) == (one.kind, one.name) and one.key in {"", use.key}
    }
    for past in list_past(snapshot):
        then = [
            use for use in list_uses(past.revision.pod_spec) if use.place in places and use.kind == one.kind
        ]
        if _names_secret(one) and not past.proof:
            continue
        values = {use.key for use in then if use.name == one.name} if one.key else {use.name for use in then}
        if len(values) != 1 or not _is_there(snapshot, one, value := values.pop()):
            continue
        remedy = Remedy(
            container=None,
            fields=_fields(snapshot, one, value),
            change=_order(one, value),
            grounding="last_good_revision",
            basis=past.tell(f"named {value}"),
            confidence=past.confidence,
            evidence=past.evidence,
        )
        yield remedy, value


def _names_secret(one: _Missing) -> bool:
    return one.kind == "Secret" and not one.key


def _nearest(snapshot: Snapshot, one: _Missing) -> Iterator[tuple[Remedy, str]]:
    wanted = one.key or one.name
    known = _known(snapshot, one)
    value = find_nearest(wanted, known.value, list_names(snapshot)) if known else None
    if known is None or value is None or _names_secret(one):
        return
    where = (
        "a healthy neighbour names it" if one.kind == "Secret" else "it exists, and no other name is as near"
    )
    remedy = Remedy(
        container=None,
        fields=_fields(snapshot, one, value),
        change=_order(one, value),
        grounding="sibling" if one.kind == "Secret" else "evidence",
        basis=f"{value} is the nearest name to {wanted}: {where}.",
        confidence="medium",
        risk="medium",
        evidence=(known.evidence,),
    )
    yield remedy, value


def _known(snapshot: Snapshot, one: _Missing) -> Sourced[tuple[str, ...]] | None:
    """Return the names or keys that certainly exist."""
    if one.kind == "ConfigMap" and one.key:
        found = (each for each in snapshot.keys if each.value.metadata.name == one.name)
        return next((Sourced(each.evidence, each.value.keys) for each in found), None)
    if one.kind == "ConfigMap":
        return snapshot.config_maps
    if snapshot.siblings is None:
        return None
    uses = [
        use
        for each in list_examples(snapshot)
        for use in list_uses(each.pod_spec)
        if use.kind == "Secret" and not use.optional
    ]
    if one.key:
        return Sourced(
            snapshot.siblings.evidence, tuple(use.key for use in uses if use.name == one.name and use.key)
        )
    return Sourced(snapshot.siblings.evidence, tuple(use.name for use in uses))


def _is_there(snapshot: Snapshot, one: _Missing, value: str) -> bool:
    """Whether a value of an older revision may be named: not if it is known to be gone."""
    if one.kind == "Secret" or not value:
        return bool(value)
    known = _known(snapshot, one)
    return known is None or value in known.value


def _fields(snapshot: Snapshot, one: _Missing, value: str) -> dict[str, object]:
    if one.key:
        return rekey(snapshot.template, one.kind, one.name, one.key, value)
    return rename(snapshot.template, one.kind, one.name, value)


def _order(one: _Missing, value: str) -> str:
    return f"take {value} instead of {one}" if one.key else f"name {one.kind} {value} instead of {one.name}"


def _advise(snapshot: Snapshot, one: _Missing) -> str:
    uses = [use for use in list_uses(snapshot.template) if (use.kind, use.name) == (one.kind, one.name)]
    keys = list(dict.fromkeys(use.key for use in uses if use.key)) or ["KEY"]
    namespace = snapshot.workload.value.metadata.namespace
    literals = " ".join(f"--from-literal={shlex.quote(key)}=..." for key in keys)
    if one.key:
        edit = f"kubectl edit {one.kind.lower()} {one.name} -n {namespace}"
        return f"Add the key {one.key} to {one.kind} {one.name} ({edit}), or correct the key in the template."
    make = "create secret generic" if one.kind == "Secret" else "create configmap"
    known = _known(snapshot, one)
    near = find_nearest(one.name, known.value, list_names(snapshot)) if known and _names_secret(one) else None
    hint = f": a healthy neighbour names {near}" if near else ""
    return (
        f"Make {one.kind} {one.name} with its real values: kubectl {make} {one.name} -n {namespace}"
        f" {literals};"
        f" or correct the name in the template{hint}."
    )
