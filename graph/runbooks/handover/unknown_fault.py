"""A fault that no runbook knows, handed over: the evidence that decides first, then where to look further."""

from collections.abc import Iterable, Iterator, Sequence

from graph.domain.diagnosis import Diagnosis, HandOver
from graph.ports import Case
from graph.runbooks.evidence.decisive_lines import quote_ends
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.evidence.unwell_containers import Clue
from graph.runbooks.handover.clues import list_clues
from graph.runbooks.handover.recent_changes import Changes, describe_changes
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import unique
from graph.runbooks.objects.workloads import Owner, Workload
from graph.runbooks.rules.nodes.silent_nodes import describe_unread

_KNOWN = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Node"})


def hand_over_unknown(snapshot: Snapshot, case: Case) -> HandOver:
    """Return the hand-over of a workload that isn't healthy for a reason that no runbook knows."""
    clues, changes = list_clues(snapshot), describe_changes(snapshot)
    workload = snapshot.workload.value
    wanted, updated, ready = workload.counts
    counts = f"{ready} of {wanted} pods are ready, {updated} are up to date [{snapshot.workload.evidence}]"
    told = " ".join(filter(None, [_lead(clues), changes.said if changes else ""]))
    known = f"{workload} isn't healthy ({counts}), and no runbook knows this fault."
    recall = f" Earlier: {'; '.join(case.failed_attempts)}." if case.failed_attempts else ""
    sources = [snapshot.workload.evidence, *([changes.evidence] if changes else ())]
    return HandOver(
        reason=f"{told} {known}{recall}{describe_unread(snapshot)}",
        diagnosis=_diagnose(snapshot, clues, told, sources) if not case.failed_attempts else None,
        advice=(*_advise(clues), *_point_at(workload), *_go_back(changes)),
    )


def hand_over_stranger(snapshot: Snapshot, case: Case, owner: Owner | None, refusal: HandOver) -> HandOver:
    """Return the hand-over of what no runbook examines: `refusal`, behind the evidence that decides."""
    workload, clues = snapshot.workload.value, list_clues(snapshot)
    owners = (describe_owner(owner, workload.metadata.namespace),) if owner else ()
    advice = (*_advise(clues), *(f"Look at what owns it: {each}" for each in owners), *refusal.advice)
    if not clues:
        reason = f"{refusal.reason}.{lacking}" if (lacking := describe_unread(snapshot)) else refusal.reason
        return refusal.model_copy(update={"reason": reason, "advice": advice})
    told = _lead(clues)
    return HandOver(
        reason=f"{told} {refusal.reason[:1].upper()}{refusal.reason[1:]}.{describe_unread(snapshot)}",
        diagnosis=_diagnose(snapshot, clues, told, ()) if not case.failed_attempts else None,
        advice=advice,
    )


def describe_owner(owner: Owner, namespace: str) -> str:
    """Return the command that shows an owner of whatever kind."""
    group = owner.api_version.partition("/")[0] if "/" in owner.api_version else ""
    kind = f"{owner.kind.lower()}{'.' if group else ''}{group}"
    return f"kubectl describe {quote(kind)} {owner.name} -n {namespace}"


def _go_back(changes: Changes | None) -> tuple[str, ...]:
    undo = changes.undo if changes else ""
    return (f"If that change can wait, take it back: {undo}",) if undo else ()


def _lead(clues: Sequence[Clue]) -> str:
    if not clues:
        return "Neither statuses, events nor logs say why."
    first = clues[0]
    if not first.said:
        return f"{first}."
    if not first.decides:
        return f"{first.about} {first.state}. {_add(first)}."
    more = "".join(f" {_add(each)}." for each in _of_the_same(clues))
    return f"{first}. It {first.state}.{more}"


def _of_the_same(clues: Sequence[Clue]) -> Sequence[Clue]:
    """Return what else decides about the object of the first clue, where that comes right behind it."""
    return [each for each in clues[1:2] if each.about == clues[0].about and each.decides]


def _add(clue: Clue) -> str:
    return f"{clue.source[:1].upper()}{clue.source[1:]}: {quote_ends(clue.said)} [{clue.evidence}]"


def _diagnose(
    snapshot: Snapshot, clues: Sequence[Clue], told: str, sources: Iterable[str]
) -> Diagnosis | None:
    """Return what is said as a diagnosis of which nobody is sure; None where there is nothing to say."""
    if not clues:
        return None
    return Diagnosis(
        summary=f"{clues[0]}" if clues[0].decides else f"{clues[0].about} {clues[0].state}",
        cause=told,
        root_causes=(snapshot.workload.value.target,),
        evidence=unique((*(each.evidence for each in clues), snapshot.pods.evidence, *sources)),
        source="runbook",
        confidence="low",
    )


def _advise(clues: Sequence[Clue]) -> Iterator[str]:
    told = (*clues[:1], *_of_the_same(clues))
    yield from (str(each) for each in clues if each not in told)
    if rechecks := unique(part for clue in clues for part in clue.look.split("; ") if part):
        yield f"Look further: {'; '.join(rechecks)}"


def _point_at(workload: Workload) -> Iterator[str]:
    """Yield the commands that show the workload, and whatever takes care of it."""
    namespace, owner = workload.metadata.namespace, workload.metadata.controller
    if owner and owner.kind not in _KNOWN:
        yield (
            f"{workload} is made by {quote(owner.kind)}/{owner.name}, and a lasting change belongs there:"
            f" {describe_owner(owner, namespace)}"
        )
    kind, name = workload.kind.lower(), workload.metadata.name
    yield f"Look at the workload: kubectl describe {kind} {name} -n {namespace}"
