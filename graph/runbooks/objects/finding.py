"""What a runbook found: the fault, and the changes that could mend it, best first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Candidate, Confidence, Diagnosis, Grounding
from graph.domain.proposal import Risk
from graph.runbooks.objects.workloads import Workload
from tools.kubernetes.patch import PatchArguments, merge
from tools.redaction.redactor import is_blanked

CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")
_RISKS: tuple[Risk, ...] = ("low", "medium", "high")
_GROUNDINGS: tuple[Grounding, ...] = (
    "last_good_revision", "same_object", "evidence", "sibling", "estimate", "guess",
)  # fmt: skip


@dataclass(frozen=True)
class Remedy:
    """One way to mend one container, or (None) the pod around it.

    `fields` are a strategic merge patch of the container, without its name, or of the pod's spec.
    """

    container: str | None
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
    """A fault. Without options only a person can mend it, as `advice` says.

    `subject` is the object at fault. `fault` is half a sentence that names object, container and value;
    `cause` explains it in full ones. `confidence` is how sure the fault is, whatever may be done about it.
    """

    subject: Target
    fault: str
    cause: str
    confidence: Confidence
    evidence: tuple[str, ...]
    options: tuple[Option, ...]
    advice: tuple[str, ...]
    prevention: tuple[str, ...]
    without: str = ""
    """Why there are no options, in half a sentence; empty where it is only that no value is known."""

    def repair(self, option: Option) -> tuple[str, ...]:
        """Return the commands by which a person makes the change of an option that isn't ours to make."""
        call = option.candidate.call
        if call.resource_type == "job":
            where = f"job {call.name} -n {call.namespace}"
            again = f"kubectl delete {where}, and make it again"
            return (f"A Job can't be changed: correct a copy (kubectl get {where} -o yaml), {again}.",)
        return (f"To do so: {call.as_command()}",)

    def diagnose(self, option: Option | None) -> Diagnosis:
        """Return what is wrong, with the confidence and the evidence of an option if there is one."""
        return Diagnosis(
            summary=self.fault,
            cause=self.cause,
            root_causes=(self.subject,),
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
    choices = [[each for each in ways if not _hides(each.fields)] for ways in remedies]
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
    spec: dict[str, Any] = {}
    for each in remedies:
        if each.container is None:
            spec = _lay_over(spec, each.fields)
            continue
        group = "initContainers" if workload.pod_spec.is_init(each.container) else "containers"
        spec = _lay_over(spec, {group: [{"name": each.container, **each.fields}]})
    template = {"template": {"spec": spec}}
    owner = workload.metadata.controller
    by_cronjob = workload.kind == "Job" and owner is not None and owner.kind == "CronJob"
    return PatchArguments(
        resource_type="cronjob" if by_cronjob else workload.kind.lower(),
        name=owner.name if owner and by_cronjob else workload.metadata.name,
        namespace=workload.metadata.namespace,
        patch_data={"spec": {"jobTemplate": {"spec": template}} if by_cronjob else template},
    )


def _lay_over(spec: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return both: items of the same list one after the other, maps merged, the rest replaced."""
    lists = {
        key: [*spec[key], *value] for key, value in fields.items() if isinstance(value, list) and key in spec
    }
    return {**merge(spec, fields), **lists}


def _hides(value: Any) -> bool:
    """Whether a value was hidden from us: what the reading side redacts must never be written back."""
    if isinstance(value, Mapping):
        return any(_hides(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_hides(each) for each in value)
    return isinstance(value, str) and (is_blanked(value) or "[truncated:" in value)


def _caveats(workload: Workload) -> tuple[str, ...]:
    if workload.kind != "StatefulSet":
        return ()
    # https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    return ("A StatefulSet may leave a pod that never was ready in place: if it does, delete that pod.",)
