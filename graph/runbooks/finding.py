"""What a runbook found: the fault, and the changes that could mend it, best first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph.diagnosis import Candidate, Confidence, Diagnosis, Grounding
from graph.proposal import Risk
from graph.runbooks.objects import Workload
from graph.targets import Target
from tools.patch import PatchArguments

CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")
_RISKS: tuple[Risk, ...] = ("low", "medium", "high")
_GROUNDINGS: tuple[Grounding, ...] = ("last_good_revision", "same_object", "sibling", "estimate", "guess")


@dataclass(frozen=True)
class Remedy:
    """One way to mend one container. `fields` are a strategic merge patch of it, without its name."""

    container: str
    fields: Mapping[str, Any]
    change: str
    """The change in words, as an order: `set the image of container web to nginx:1.25`."""
    grounding: Grounding
    basis: str
    confidence: Confidence
    risk: Risk = "low"
    evidence: tuple[str, ...] = ()
    """What the value was taken from."""


@dataclass(frozen=True)
class Option:
    """One patch that mends every container concerned."""

    candidate: Candidate
    change: str
    confidence: Confidence
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A fault of a workload. Without options only a person can mend it, as `advice` says.

    `fault` is half a sentence that names object, container and value; `cause` explains it in full ones.
    `confidence` is how sure the fault is, whatever may be done about it.
    """

    workload: Workload
    fault: str
    cause: str
    confidence: Confidence
    evidence: tuple[str, ...]
    options: tuple[Option, ...]
    advice: tuple[str, ...]
    prevention: tuple[str, ...]

    def diagnose(self, option: Option | None) -> Diagnosis:
        """Return the diagnosis that goes with one of the options, or with none of them."""
        metadata = self.workload.metadata
        target = Target(kind=self.workload.kind, namespace=metadata.namespace, name=metadata.name)
        return Diagnosis(
            summary=f"{self.fault}: {option.change}" if option else self.fault,
            cause=self.cause,
            root_causes=(target,),
            evidence=unique((*self.evidence, *(option.evidence if option else ()))),
            source="runbook",
            confidence=max(self.confidence, option.confidence, key=CONFIDENCES.index)
            if option
            else self.confidence,
            prevention=self.prevention,
        )


def combine(workload: Workload, remedies: Iterable[Sequence[Remedy]]) -> tuple[Option, ...]:
    """Return patches that mend all containers at once: the best remedy of each, then the next best, ….

    Empty if any container has no remedy: half a fix leaves the pod broken.
    """
    choices = list(remedies)
    if not choices or not all(choices):
        return ()
    rounds = range(max(map(len, choices)))
    return tuple(
        _option(workload, [ways[min(number, len(ways) - 1)] for ways in choices]) for number in rounds
    )


def unique(ids: Iterable[str]) -> tuple[str, ...]:
    """Return evidence ids without repetition, in the order of their first mention."""
    return tuple(dict.fromkeys(ids))


def _option(workload: Workload, remedies: Sequence[Remedy]) -> Option:
    candidate = Candidate(
        call=_patch(workload, remedies),
        grounding=max((each.grounding for each in remedies), key=_GROUNDINGS.index),
        basis=" ".join(dict.fromkeys([*(each.basis for each in remedies), *_caveats(workload)])),
        risk=max((each.risk for each in remedies), key=_RISKS.index),
    )
    return Option(
        candidate=candidate,
        change="; ".join(each.change for each in remedies),
        confidence=max((each.confidence for each in remedies), key=CONFIDENCES.index),
        evidence=unique(source for each in remedies for source in each.evidence),
    )


def _patch(workload: Workload, remedies: Sequence[Remedy]) -> PatchArguments:
    containers: dict[str, list[dict[str, Any]]] = {}
    for each in remedies:
        group = "initContainers" if workload.pod_spec.is_init(each.container) else "containers"
        containers.setdefault(group, []).append({"name": each.container, **each.fields})
    return PatchArguments(
        resource_type=workload.kind.lower(),
        name=workload.metadata.name,
        namespace=workload.metadata.namespace,
        patch_data={"spec": {"template": {"spec": containers}}},
    )


def _caveats(workload: Workload) -> tuple[str, ...]:
    if workload.kind != "StatefulSet":
        return ()
    # https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    return ("A StatefulSet may leave a pod that never was ready in place: if it does, delete that pod.",)
