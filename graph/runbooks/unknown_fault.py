"""A fault that no runbook knows, handed over: the evidence that decides first, then where to look further."""

from collections.abc import Iterator

from graph.diagnosis import Diagnosis, HandOver
from graph.ports import Case
from graph.runbooks.answers import quote
from graph.runbooks.changes import describe_changes
from graph.runbooks.clues import list_clues
from graph.runbooks.finding import unique
from graph.runbooks.objects import Owner, Workload
from graph.runbooks.scenes import Clue
from graph.runbooks.silent_nodes import describe_unread
from graph.runbooks.snapshot import Snapshot
from graph.runbooks.telling_lines import quote_ends

_KNOWN = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Node"})


def hand_over_unknown(snapshot: Snapshot, case: Case) -> HandOver:
    """Return the hand-over of a workload that isn't healthy for a reason that no runbook knows."""
    clues = list_clues(snapshot)
    workload = snapshot.workload.value
    wanted, updated, ready = workload.counts
    counts = f"{ready} of {wanted} pods are ready, {updated} are up to date [{snapshot.workload.evidence}]"
    changes = describe_changes(snapshot)
    told = " ".join(filter(None, [_lead(clues), changes.value if changes else ""]))
    known = f"{workload} isn't healthy ({counts}), and no runbook knows this fault."
    recall = f" Earlier: {'; '.join(case.setbacks)}." if case.setbacks else ""
    sources = (*(each.evidence for each in clues), *([changes.evidence] if changes else ()))
    return HandOver(
        reason=f"{told} {known}{recall}{describe_unread(snapshot)}".strip(),
        diagnosis=_diagnose(snapshot, clues, told, sources) if clues and not case.setbacks else None,
        advice=tuple(_advise(workload, clues)),
    )


def describe_owner(owner: Owner, namespace: str) -> str:
    """Return the command that shows an owner of whatever kind."""
    group = owner.api_version.partition("/")[0] if "/" in owner.api_version else ""
    kind = f"{owner.kind.lower()}{'.' if group else ''}{group}"
    return f"kubectl describe {quote(kind)} {owner.name} -n {namespace}"


def _lead(clues: tuple[Clue, ...]) -> str:
    if not clues:
        return "Neither statuses, events nor logs say why."
    first = clues[0]
    if not first.said:
        return f"{first}."
    if not first.decides:
        return f"{first.about} {first.state}. {_write_last(first)}."
    return f"{first}. It {first.state}."


def _write_last(clue: Clue) -> str:
    return f"The {clue.source}: {quote_ends(clue.said)} [{clue.evidence}]"


def _diagnose(snapshot: Snapshot, clues: tuple[Clue, ...], told: str, sources: tuple[str, ...]) -> Diagnosis:
    return Diagnosis(
        summary=f"{clues[0]}" if clues[0].decides else f"{clues[0].about} {clues[0].state}",
        cause=told,
        root_causes=(snapshot.workload.value.target,),
        evidence=unique((snapshot.workload.evidence, snapshot.pods.evidence, *sources)),
        source="runbook",
        confidence="low",
    )


def _advise(workload: Workload, clues: tuple[Clue, ...]) -> Iterator[str]:
    namespace, owner = workload.metadata.namespace, workload.metadata.controller
    yield from (f"{clue}" for clue in clues[1:])
    if looks := unique(clue.look for clue in clues if clue.look):
        yield f"Look further: {'; '.join(unique(part for look in looks for part in look.split('; ')))}"
    if owner and owner.kind not in _KNOWN:
        yield (
            f"{workload} is made by {quote(owner.kind)}/{owner.name}, and a lasting change belongs there:"
            f" {describe_owner(owner, namespace)}"
        )
    kind, name = workload.kind.lower(), workload.metadata.name
    yield f"Look at the workload: kubectl describe {kind} {name} -n {namespace}"
