"""Which containers can't get their image, why, and on which nodes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graph.runbooks.evidence.pull_errors import Why, choose_cause, read_cause
from graph.runbooks.evidence.snapshot import ObservedContainer, Snapshot
from graph.runbooks.objects.answers import Sourced
from graph.runbooks.objects.finding import unique

_REASONS: dict[str, Why] = {
    "ErrImagePull": "unsaid", "ImagePullBackOff": "unsaid", "ImageInspectError": "unsaid",
    "InvalidImageName": "invalid", "ErrImageNeverPull": "absent", "RegistryUnavailable": "unreachable",
    "SignatureValidationFailed": "unsigned",
}  # fmt: skip
_ALWAYS_SO = frozenset({"InvalidImageName", "ErrImageNeverPull"})


@dataclass(frozen=True)
class Failure:
    """One container whose image can't be pulled for one cause; `pods` and `nodes` are where."""

    container: str
    image: str
    reason: str
    why: Why
    message: str
    """In the words of runtime and registry; empty if they said nothing."""
    evidence: tuple[str, ...]
    in_template: bool
    pods: tuple[str, ...]
    nodes: tuple[str, ...]


def list_failures(snapshot: Snapshot) -> tuple[Failure, ...]:
    """Return one failure for each container and cause; what says nothing counts where nothing says more."""
    found: dict[tuple[str, Why], Failure] = {}
    for sighting in snapshot.sightings():
        waiting = sighting.status.state.waiting
        if waiting is not None and waiting.reason in _REASONS:
            each = _examine(snapshot, sighting, waiting.reason)
            known = found.get((each.container, each.why))
            found[each.container, each.why] = _join(known, each) if known else each
    told = {name for name, why in found if why not in {"unsaid", "unclear"}}
    return tuple(
        each for (name, why), each in found.items() if name not in told or why not in {"unsaid", "unclear"}
    )


def _join(one: Failure, other: Failure) -> Failure:
    return replace(
        one,
        evidence=unique((*one.evidence, *other.evidence)),
        pods=unique((*one.pods, *other.pods)),
        nodes=unique((*one.nodes, *other.nodes)),
    )


def _examine(snapshot: Snapshot, sighting: ObservedContainer, reason: str) -> Failure:
    name, node = sighting.status.name, sighting.pod.spec.node_name
    container = sighting.wanted or sighting.pod.spec.find(name)
    image = container.image if container else ""
    messages = list(_messages(snapshot, sighting, image))
    why = _classify(reason, [each.value for each in messages], image)
    telling = [each for each in messages if read_cause(each.value, image) == why]
    telling = telling or [each for each in messages if read_cause(each.value, image) != "unsaid"] or messages
    return Failure(
        container=name,
        image=image,
        reason=reason,
        why=why,
        message=telling[0].value if telling else "",
        evidence=unique(
            (snapshot.workload.evidence, snapshot.pods.evidence, *(each.evidence for each in telling))
        ),
        in_template=sighting.wanted is not None,
        pods=(sighting.pod.metadata.name,),
        nodes=(node,) if node else (),
    )


def _messages(snapshot: Snapshot, sighting: ObservedContainer, image: str) -> Iterator[Sourced[str]]:
    """Yield what kubelet and registry said about the image, the most direct and the latest first."""
    if (waiting := sighting.status.state.waiting) and waiting.message:
        yield Sourced(snapshot.pods.evidence, waiting.message)
    for event in snapshot.events_of((sighting.pod,)):
        if image and image in event.value.message:
            yield Sourced(event.evidence, event.value.message)
    others = [pod.metadata.name for pod in snapshot.newest_pods if pod is not sighting.pod]
    description = snapshot.description
    if description and image and not any(name in description.value for name in others):
        for line in description.value.splitlines():
            _, found, said = line.partition("Failed to pull image")
            if found and image in said:
                yield Sourced(description.evidence, f"{found}{said}")


def _classify(reason: str, messages: list[str], image: str) -> Why:
    if reason in _ALWAYS_SO:
        return _REASONS[reason]
    why = choose_cause([read_cause(message, image) for message in messages])
    return _REASONS[reason] if why in {"unsaid", "unclear"} and _REASONS[reason] != "unsaid" else why
