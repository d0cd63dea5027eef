"""What to ask next, as an engineer would: the workload, what surrounds it, then what its containers say.

At most seven steps of at most eight calls, whatever the cluster answers; a call that answered an error is
known.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from graph.domain.diagnosis import CallTools, HandOver, NothingWrong, ReadCall
from graph.ports import Case
from graph.runbooks.collection.follow_ups import list_neighbours, with_neighbours
from graph.runbooks.collection.logs import log_calls, with_logs
from graph.runbooks.collection.unsupported_kinds import examine_stranger
from graph.runbooks.collection.workload_lookup import UnsupportedObject, find_pod, resolve_workload
from graph.runbooks.evidence.judgement import add_alerts_words
from graph.runbooks.evidence.reads import describe_pod, list_all, list_events, list_of
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Answers, Sourced, UnreadableEvidence, list_gaps, quote_error
from graph.runbooks.objects.neighbours import Service
from graph.runbooks.objects.workloads import ControllerRevision, Event, Items, Pod, Workload

_MOST_LOGS = 7
# warnings say what is wrong now; starts prove that an older revision has run
_EVENTS = ("type=Warning", "reason=Started")
# which objects keep a workload's earlier templates
_REVISIONS = {
    "Deployment": "replicasets", "StatefulSet": "controllerrevisions", "DaemonSet": "controllerrevisions",
}  # fmt: skip
_OVER = frozenset({"Failed", "Succeeded"})


def investigate(case: Case) -> CallTools | HandOver | NothingWrong | Snapshot:
    """Return what to ask next, a snapshot when nothing is missing, or why it can't be had.

    Raises UnreadableEvidence for an answer that isn't what its tool should return.
    """
    answers = Answers(case.evidence)
    found = resolve_workload(case, answers)
    if isinstance(found, UnsupportedObject):
        step = examine_stranger(case, answers, found)
        return add_alerts_words(step, case) if isinstance(step, HandOver) else step
    return _examine(case, answers, found) if isinstance(found, Sourced) else found


def _examine(case: Case, answers: Answers, workload: Sourced[Workload]) -> CallTools | HandOver | Snapshot:
    if not list_of("pods", workload.value).arguments["labelSelector"]:
        raise UnreadableEvidence(workload.evidence, f"{workload.value} selects no pods")
    if calls := answers.unasked(_surroundings(workload.value)):
        around = (
            f"{'its revisions, ' if workload.value.kind in _REVISIONS else ''}"
            "its pods, warnings and neighbours"
        )
        return CallTools(reason=f"Read what surrounds {workload.value}: {around}.", calls=calls)
    snapshot = _gather(case, answers, workload)
    if isinstance(snapshot, HandOver):
        return snapshot
    closer = () if snapshot.is_healthy else _closer_look(snapshot)
    if calls := answers.unasked(closer):
        return CallTools(
            reason="The containers have run: read what they wrote, and who sends to them.", calls=calls
        )
    snapshot = with_logs(snapshot, answers)
    if calls := answers.unasked(list_neighbours(snapshot)):
        why = (
            "The pods are well: look at what stands before them."
            if snapshot.is_healthy
            else f"Something around {workload.value} may be amiss: read that."
        )
        return CallTools(reason=why, calls=calls)
    return replace(with_neighbours(snapshot, answers), gaps=tuple(list_gaps(case.evidence)))


def _surroundings(workload: Workload) -> tuple[ReadCall, ...]:
    namespace = workload.metadata.namespace
    kept = _REVISIONS.get(workload.kind)
    return (
        *((list_of(kept, workload),) if kept else ()),
        list_of("pods", workload),
        *(list_events(namespace, selector) for selector in _EVENTS),
        list_all("deployments", namespace),
    )


def _closer_look(snapshot: Snapshot) -> tuple[ReadCall, ...]:
    logs = tuple(log_calls(snapshot))[:_MOST_LOGS]
    return (*logs, list_all("services", snapshot.workload.value.metadata.namespace)) if logs else ()


def _gather(case: Case, answers: Answers, workload: Sourced[Workload]) -> Snapshot | HandOver:
    value, namespace = workload.value, workload.value.metadata.namespace
    asked = answers.find(list_of("pods", value))
    assert asked is not None, "the surroundings were asked for before"
    pods = answers.read(list_of("pods", value), Items[Pod])
    if pods is None:
        return HandOver(
            reason=f"the pods of {value} can't be read: {quote_error(asked)}",
            advice=("Check that the reader's credential may list pods in this namespace.",),
        )
    revisions = _revisions(answers, value)
    siblings = answers.read(list_all("deployments", namespace), Items[Workload])
    services = answers.read(list_all("services", namespace), Items[Service])
    pod = find_pod(case)
    own = _own_pods(value, revisions, pods.value.items)
    staying = [pod for pod in own if pod.metadata.deletion_timestamp is None]
    return Snapshot(
        at=asked.at,
        workload=workload,
        pods=Sourced(pods.evidence, tuple(pod for pod in staying if pod.status.phase not in _OVER)),
        ended=tuple(pod for pod in staying if pod.status.phase in _OVER),
        leaving=tuple(pod for pod in own if pod.metadata.deletion_timestamp is not None),
        revisions=revisions,
        events=tuple(_events(answers, namespace)),
        siblings=Sourced(siblings.evidence, _others(value, siblings.value.items)) if siblings else None,
        services=Sourced(services.evidence, services.value.items) if services else None,
        description=answers.read_text(describe_pod(pod, namespace)) if pod else None,
        tried=case.tried,
        alerts=tuple(alert.name for alert in case.group.alerts if alert.status == "firing"),
    )


def _revisions(answers: Answers, workload: Workload) -> Sourced[tuple[Workload, ...]] | None:
    kept = _REVISIONS.get(workload.kind)
    if kept is None:
        return None
    call = list_of(kept, workload)
    if kept == "replicasets":
        found = answers.read(call, Items[Workload])
        listed = found.value.items if found else ()
    else:
        recorded = answers.read(call, Items[ControllerRevision])
        listed = tuple(each.as_workload() for each in recorded.value.items) if recorded else ()
    answer = answers.find(call)
    if answer is None or answer.is_error:
        return None
    own = (each for each in listed if each.metadata.is_controlled_by(workload.metadata.uid))
    return Sourced(answer.id, tuple(sorted(own, key=lambda each: each.revision, reverse=True)))


def _own_pods(
    workload: Workload, revisions: Sourced[tuple[Workload, ...]] | None, pods: Iterable[Pod]
) -> tuple[Pod, ...]:
    if workload.kind != "Deployment":
        return tuple(pod for pod in pods if pod.metadata.is_controlled_by(workload.metadata.uid))
    if revisions is None:
        return tuple(pods)  # the selector is all there is to go by
    owners = [each.metadata.uid for each in revisions.value]
    return tuple(pod for pod in pods if any(pod.metadata.is_controlled_by(uid) for uid in owners))


def _events(answers: Answers, namespace: str) -> Iterator[Sourced[tuple[Event, ...]]]:
    for selector in _EVENTS:
        if found := answers.read(list_events(namespace, selector), Items[Event]):
            yield Sourced(found.evidence, found.value.items)


def _others(workload: Workload, deployments: Iterable[Workload]) -> tuple[Workload, ...]:
    return tuple(each for each in deployments if each.metadata.name != workload.metadata.name)
