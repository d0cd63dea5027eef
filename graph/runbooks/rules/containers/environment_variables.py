"""A program says which environment variable it misses, or which host it can't find."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graph.runbooks.evidence.crashes import find_end, hear
from graph.runbooks.evidence.log_levels import ERROR, is_generic, read_level
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container, Variable
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.repairs.examples import differ, list_examples, list_names
from tools.registry.image_reference import parse_image
from tools.registry.image_tags import tag_words

_VARIABLE = r"(?P<name>[A-Z][A-Z0-9_]{2,99})"
_WORDINGS = (
    re.compile(rf"\bKeyError: ['\"]{_VARIABLE}['\"]"),
    re.compile(
        r"(?:missing|requires?d?|undefined|unset|no such) (?:required )?(?:environment|env) var(?:iable)?s?"
        rf":? [`'\"$]{{0,2}}{_VARIABLE}\b",
        re.IGNORECASE | re.ASCII,
    ),
    re.compile(
        rf"\b{_VARIABLE}[`'\"}}]? (?:(?:environment|env) var(?:iable)? )?(?:is |was |has )?"
        r"(?:not set|not been set|unset|required|missing|undefined|not defined|not provided"
        r"|must be (?:set|provided|defined))\b"
    ),
    re.compile(rf"\brequired key {_VARIABLE} missing value"),
    re.compile(rf"\b{_VARIABLE}: (?:unbound variable|parameter (?:not set|null or not set))"),
)
_HARMLESS = re.compile(
    r"\b(?:default|disabl|optional|ignor|skip|fall(?:ing|s)? ?back|continu|deprecated|will use|using)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Lack:
    container: Container
    variable: str
    said: Sourced[str]


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a container ended because an environment variable isn't set, or None."""
    lacks = tuple(_lacks(snapshot))
    if not lacks:
        return None
    workload = snapshot.workload.value
    named = " and ".join(
        f"container {each.container.name} ends because its variable {each.variable} isn't set"
        for each in lacks
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {named}",
        cause=" ".join(
            f'Container {each.container.name} wrote: "{quote(each.said.value)}"; its template sets no'
            f" {each.variable}."
            for each in lacks
        ),
        confidence="high",
        evidence=unique(
            (snapshot.workload.evidence, snapshot.pods.evidence, *(each.said.evidence for each in lacks))
        ),
        options=combine(workload, (tuple(_remedies(snapshot, each)) for each in lacks)),
        advice=tuple(
            f"Set {each.variable} for container {each.container.name}: kubectl set env"
            f" {workload.kind.lower()}/"
            f"{workload.metadata.name} -n {workload.metadata.namespace} -c {each.container.name}"
            f" {each.variable}=... (from a Secret if it is one)."
            for each in lacks
        ),
        prevention=("Check at start-up, and in CI, that every variable a program needs is set.",),
    )


def _lacks(snapshot: Snapshot) -> Iterator[_Lack]:
    seen: set[str] = set()
    for sighting in snapshot.sightings():
        container = sighting.wanted
        if container is None or container.name in seen or not _has_ended(snapshot, sighting):
            continue
        made = sighting.pod.spec.find(container.name)
        have = {each.name for each in container.env}
        said = tuple(hear(snapshot, sighting))
        for line in said:
            name = _read(line.value)
            if not name or not _is_cause(line.value, name, [each.value for each in said]):
                continue
            if name not in have and made is not None and made.env == container.env:
                seen.add(container.name)
                yield _Lack(container, name, line)
                break


def _has_ended(snapshot: Snapshot, sighting: ObservedContainer) -> bool:
    end = find_end(sighting)
    return end is not None and end.exit_code != 0 and snapshot.is_unwell(sighting.status, init=False)


def _read(line: str) -> str:
    found = (wording.search(line[:1_000]) for wording in _WORDINGS)
    return next((match["name"] for match in found if match and match["name"].isupper()), "")


def _is_cause(line: str, name: str, said: Sequence[str]) -> bool:
    """Whether a program ended for what a line misses: not if it can do without, or had a graver fault.

    Of a line without a level, any error that doesn't name the variable is graver.
    """
    level = read_level(line)
    if (level is not None and level < ERROR) or _HARMLESS.search(line):
        return False
    graver = (each for each in said if name not in each and not is_generic(each))
    return not any((found := read_level(each)) and found >= ERROR and found > (level or 0) for each in graver)


def _remedies(snapshot: Snapshot, lack: _Lack) -> Iterator[Remedy]:
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(lack.container.name)
        variable = next((each for each in older.env if each.name == lack.variable), None) if older else None
        if variable:
            basis = past.tell(f"set {lack.variable}")
            yield _set(lack, variable, ("last_good_revision", basis, past.confidence), past.evidence)
    slip = find_nearest(lack.variable, (each.name for each in lack.container.env), list_names(snapshot))
    if slip:
        variable = next(each for each in lack.container.env if each.name == slip)
        yield Remedy(
            container=lack.container.name,
            fields={
                "env": [{**variable.as_patch(), "name": lack.variable}, {"name": slip, "$patch": "delete"}]
            },
            change=f"call variable {slip} of container {lack.container.name} {lack.variable}",
            grounding="same_object",
            basis=f"The template sets {slip}, the nearest name to {lack.variable}, which is asked for.",
            confidence="medium",
            risk="medium",
            evidence=(snapshot.workload.evidence,),
        )
    for name, variable in _siblings(snapshot, lack):
        assert snapshot.siblings is not None, "the sibling came from there"
        basis = f"{name} is healthy with the same repository and sets {lack.variable} so."
        yield _set(lack, variable, ("sibling", basis, "medium"), (snapshot.siblings.evidence,))


def _siblings(snapshot: Snapshot, lack: _Lack) -> Iterator[tuple[str, Variable]]:
    """Yield what healthy neighbours with the same program set it to, if they agree.

    One neighbour agrees with nobody: it counts only if it gives no other variable a value of its own.
    """
    found = [
        (str(each), variable, differ(other, lack.container))
        for each in list_examples(snapshot)
        for other in each.pod_spec.containers
        if _is_same_program(other, lack.container)
        for variable in other.env
        if variable.name == lack.variable
    ]
    agreed = len({str(variable.as_patch()) for _, variable, _ in found}) == 1
    if agreed and (len(found) > 1 or not found[0][2]):
        yield found[0][:2]


def _is_same_program(one: Container, other: Container) -> bool:
    here, there = parse_image(one.image), parse_image(other.image)
    same = here is not None and there is not None and here.repository == there.repository
    return same and tag_words(one.image) == tag_words(other.image)


def _set(lack: _Lack, variable: Variable, origin: tuple[Any, str, Any], evidence: tuple[str, ...]) -> Remedy:
    grounding, basis, confidence = origin
    return Remedy(
        container=lack.container.name,
        fields={"env": [variable.as_patch()]},
        change=f"set variable {lack.variable} of container {lack.container.name}",
        grounding=grounding,
        basis=basis,
        confidence=confidence,
        risk="low" if grounding == "last_good_revision" else "medium",
        evidence=evidence,
    )
