"""What no runbook examines, such as an operator's resource or a bare pod: its evidence is handed over.

Nothing is proposed for it. What its pod, the events and the logs say is told as for any workload.
"""

from graph.domain.diagnosis import CallTools, HandOver
from graph.ports import Case
from graph.runbooks.collection.logs import log_calls, with_logs
from graph.runbooks.collection.workload_lookup import UnsupportedObject
from graph.runbooks.evidence.reads import list_all, list_events
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.handover.unknown_fault import hand_over_stranger
from graph.runbooks.objects.answers import Answers, Sourced, list_gaps
from graph.runbooks.objects.pod_template import PodSpec, PodTemplate
from graph.runbooks.objects.workloads import Event, Items, Metadata, Pod, Workload, WorkloadSpec

_WARNINGS = "type=Warning"
_MOST_LOGS = 7


def examine_stranger(case: Case, answers: Answers, stranger: UnsupportedObject) -> CallTools | HandOver:
    """Return what to ask about a stranger, or the hand-over with what decides."""
    namespace = stranger.namespace
    warnings, replicasets = list_events(namespace, _WARNINGS), list_all("replicasets", namespace)
    if calls := answers.unasked((warnings, replicasets)):
        return CallTools(reason=f"Read the warnings about {stranger.kind}/{stranger.name}.", calls=calls)
    asked, events = answers.find(warnings), answers.read(warnings, Items[Event])
    made = answers.read(replicasets, Items[Workload])
    assert asked is not None, "the warnings were asked for before"
    pods = Sourced[tuple[Pod, ...]](asked.id, ())
    if stranger.pod:
        pods = Sourced(stranger.pod.evidence, (stranger.pod.value,))
    snapshot = Snapshot(
        at=asked.at,
        workload=Sourced(pods.evidence, _imagine(stranger)),
        pods=pods,
        revisions=Sourced(made.evidence, _list_own(stranger, made.value.items)) if made else None,
        events=(Sourced(events.evidence, events.value.items),) if events else (),
        gaps=tuple(list_gaps(case.evidence)),
    )
    if calls := answers.unasked(tuple(log_calls(snapshot))[:_MOST_LOGS]):
        return CallTools(reason="The containers have run: read what they wrote.", calls=calls)
    return hand_over_stranger(with_logs(snapshot, answers), case, stranger.owner, stranger.refusal)


def _imagine(stranger: UnsupportedObject) -> Workload:
    """Return the workload that the stranger would be if it were one: its template is what its pod is."""
    uid = stranger.owner.uid if stranger.owner else ""
    spec = stranger.pod.value.spec if stranger.pod else PodSpec()
    return Workload(
        kind=stranger.kind,
        metadata=Metadata(name=stranger.name, namespace=stranger.namespace, uid=uid),
        spec=WorkloadSpec(template=PodTemplate(spec=spec)),
    )


def _list_own(stranger: UnsupportedObject, replicasets: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """Return the newest ReplicaSet that the stranger controls: what is refused is refused to that."""
    own = [
        each
        for each in replicasets
        if (owner := each.metadata.controller) and (owner.kind, owner.name) == (stranger.kind, stranger.name)
    ]
    return tuple(sorted(own, key=lambda each: str(each.metadata.creation_timestamp or ""))[-1:])
