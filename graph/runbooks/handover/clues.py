"""The evidence that decides, picked from everything that is known of a fault that no runbook knows."""

from collections.abc import Iterator

from graph.runbooks.evidence.decisive_lines import essence
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.evidence.unwell_containers import (
    Clue,
    UnwellContainer,
    is_overdue,
    list_scenes,
    list_unwell_pods,
    make_bare_scene,
)
from graph.runbooks.handover.refused_pods import describe_refusal
from graph.runbooks.handover.witnesses import WITNESSES, ask_warnings
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.workloads import Pod

_MOST = 5
_MOST_OF_ONE = 2
_SHORT = 20
# says only that time has passed
_LATE = "ProgressDeadlineExceeded"
_USUAL = frozenset({"Ready", "ContainersReady", "Initialized", "PodReadyToStartContainers"})


def list_clues(snapshot: Snapshot) -> tuple[Clue, ...]:
    """Return at most five clues, the one that decides first. None is told twice, at whatever times."""
    found: list[Clue] = []
    known: list[str] = []
    for clue in (
        *_list_refusals(snapshot),
        *_list_verdicts(snapshot),
        *_list_of_containers(snapshot),
        *_list_conditions(snapshot),
        *_list_own_events(snapshot),
    ):
        told = essence(clue.said or f"{clue.about} {clue.state}")
        if not any(told in each or (each in told and len(each) > _SHORT) for each in known):
            known.append(told)
            found.append(clue)
    return tuple(found[:_MOST])


def _list_refusals(snapshot: Snapshot) -> Iterator[Clue]:
    workload = snapshot.workload.value
    failure = workload.condition("ReplicaFailure")
    for said in snapshot.refusals():
        by_status = failure and Sourced(snapshot.workload.evidence, failure.message) == said
        refusal = describe_refusal(said.value, workload.metadata.namespace)
        yield Clue(
            about=str(workload),
            state=f"gets no new pods: {refusal.meaning}",
            evidence=said.evidence,
            said=said.value,
            source="condition ReplicaFailure" if by_status else "event FailedCreate",
            look=refusal.look,
        )


def _list_verdicts(snapshot: Snapshot) -> Iterator[Clue]:
    """Yield what the pods say of themselves as a whole."""
    namespace = snapshot.workload.value.metadata.namespace
    for pod in list_unwell_pods(snapshot):
        look = f"kubectl describe pod {pod.metadata.name} -n {namespace}"
        state = f"is in phase {quote(pod.status.phase) or 'unknown'}"
        for source, said in _verdicts(pod):
            yield Clue(f"Pod {pod.metadata.name}", state, snapshot.pods.evidence, said, source, look)


def _list_conditions(snapshot: Snapshot) -> Iterator[Clue]:
    """Yield what the workload says of itself: that it has given up follows from what its containers said."""
    workload = snapshot.workload.value
    stuck = workload.condition("Progressing", "False")
    for each in (workload.condition("Failed"), stuck if stuck and stuck.reason != _LATE else None):
        if each:
            said, source = f"{each.reason}: {each.message}", f"condition {quote(each.type)}"
            yield Clue(str(workload), "has failed", snapshot.workload.evidence, said, source)


def _verdicts(pod: Pod) -> Iterator[tuple[str, str]]:
    status = pod.status
    if status.reason or status.message:
        yield "status of the pod", f"{status.reason}: {status.message}".strip(": ")
    for each in status.conditions:
        said = f"{each.reason}: {each.message}".strip(": ")
        gate = each.type == "Ready" and each.reason == "ReadinessGatesNotReady"
        if each.status == "False" and said and (gate or each.type not in _USUAL):
            yield f"condition {quote(each.type)}", said


def _list_of_containers(snapshot: Snapshot) -> Iterator[Clue]:
    scenes: dict[tuple[str, str], UnwellContainer] = {}
    for pod in list_unwell_pods(snapshot):
        for scene in list_scenes(snapshot, pod):
            scenes.setdefault((scene.doing, scene.status.name), scene)
    order = [*WITNESSES]
    for scene in sorted(scenes.values(), key=lambda each: order.index(each.doing)):
        clues = [clue for witness in WITNESSES[scene.doing] for clue in witness(scene)]
        yield from clues[:_MOST_OF_ONE] or [scene.base]
    overdue = [pod for pod in snapshot.leaving if is_overdue(snapshot, pod)]
    for pod in (*(pod for pod in list_unwell_pods(snapshot) if not pod.statuses), *overdue):
        bare = make_bare_scene(snapshot, pod)
        yield from list(ask_warnings(bare))[:_MOST_OF_ONE] or [bare.base]


def _list_own_events(snapshot: Snapshot) -> Iterator[Clue]:
    """Yield the other warnings about the workload itself, which mostly follow from what its pods say."""
    workload = snapshot.workload.value
    for event in snapshot.own_events():
        reason, said = event.value.reason, event.value.message
        if reason != "FailedCreate":
            source = f"event {quote(reason)}"
            yield Clue(str(workload), "isn't well", event.evidence, said, source)
