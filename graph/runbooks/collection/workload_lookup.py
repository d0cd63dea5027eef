"""From an alert's target to the workload that stands behind it.

The target is a guess from a pod's name: it may be wrong, and the object may be gone. Then the pod's owners
are asked; a chain of at most three steps.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from graph.domain.alerts.targets import Target, find_target
from graph.domain.alerts.targets import find_pod as find_alerts_pod
from graph.domain.diagnosis import CallTools, HandOver, NothingWrong, ReadCall
from graph.domain.lenient_model import Name
from graph.ports import Case
from graph.runbooks.collection.cluster_objects import OTHERS, examine
from graph.runbooks.collection.owner_lookup import LEADING, follow_lead
from graph.runbooks.collection.standalone_objects import STANDALONE, examine_standalone
from graph.runbooks.evidence.judgement import add_alerts_words
from graph.runbooks.evidence.reads import describe_pod, get_one, list_all
from graph.runbooks.objects.answers import Answers, Sourced, quote, quote_error
from graph.runbooks.objects.workloads import Items, Owner, Pod, Workload

# what has no workload behind it may have pods of its own all the same
_MAY_BE_ALONE = frozenset({"ReplicaSet", "CronJob"})
WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
_NAME: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True)
class UnsupportedObject:
    """What no runbook examines: an owner of another kind, or a pod that nothing owns.

    `pod` is None where no pod of it is known. `refusal` is the hand-over where nothing is seen that decides.
    """

    kind: str
    name: str
    namespace: str
    pod: Sourced[Pod] | None
    owner: Owner | None
    refusal: HandOver


def resolve_workload(
    case: Case, answers: Answers
) -> Sourced[Workload] | UnsupportedObject | CallTools | HandOver | NothingWrong:
    """Return the workload to examine, what to ask to find it, or what the answers say without one."""
    found = _resolve(case, answers)
    return add_alerts_words(found, case) if isinstance(found, HandOver) else found


def _resolve(
    case: Case, answers: Answers
) -> Sourced[Workload] | UnsupportedObject | CallTools | HandOver | NothingWrong:
    target = case.target
    if not _is_name(target.name) or (target.namespace is not None and not _is_name(target.namespace)):
        return _refuse(
            f"{quote(str(target))} isn't a name that Kubernetes allows", "Check the alert's labels."
        )
    if target.kind in {*OTHERS, *STANDALONE}:
        look = examine if target.kind in OTHERS else examine_standalone
        return look(case, answers)
    if target.namespace is None or target.kind not in {*WORKLOAD_KINDS, *LEADING, "Pod"}:
        advice = f"Follow the alert's own runbook for a {quote(target.kind)}."
        refusal = _refuse(f"there is no runbook for a {quote(target.kind)} ({quote(str(target))})", advice)
        return _meet_stranger(case, answers, refusal)
    if target.kind not in LEADING:
        return _find_workload(case, answers, target, find_pod(case))
    lead = follow_lead(target, answers)
    if isinstance(lead, HandOver) and target.kind in _MAY_BE_ALONE:
        return _meet_stranger(case, answers, lead)
    return _find_workload(case, answers, lead, None) if isinstance(lead, Target) else lead


def _meet_stranger(
    case: Case, answers: Answers, refusal: HandOver
) -> Sourced[Workload] | UnsupportedObject | CallTools | HandOver:
    """Return what to look at where no runbook knows the target: its pod, if one is known."""
    target = case.target
    if target.namespace is None:
        return refusal
    if pod := find_pod(case):
        return _through_pod(case, answers, pod, target.namespace)
    return UnsupportedObject(target.kind, target.name, target.namespace, None, None, refusal)


def _find_workload(
    case: Case, answers: Answers, target: Target, pod: str | None
) -> Sourced[Workload] | UnsupportedObject | CallTools | HandOver:
    namespace = target.namespace or ""
    wanted = get_one(target.kind, target.name, namespace)
    first = (*((describe_pod(pod, namespace),) if pod else ()), wanted)
    if calls := answers.unasked(first):
        return CallTools(reason=_first_reason(case, pod), calls=calls)
    known = target.kind in WORKLOAD_KINDS
    if known and (found := answers.read(wanted, Workload)):
        return found
    if pod is None:
        refusal = _refuse(
            f"{target} can't be read: {_error(answers, wanted)}"
            if known
            else f"{quote(str(target))} isn't a workload that is known here",
            _advise_on_absence(case),
        )
        return (
            refusal if known else UnsupportedObject(target.kind, target.name, namespace, None, None, refusal)
        )
    return _through_pod(case, answers, pod, namespace)


def find_pod(case: Case) -> str | None:
    """Return the name of one affected pod: of a firing alert about the target, if there is one."""
    if case.target.kind == "Pod":
        return case.target.name
    firing = [alert for alert in case.group.alerts if alert.status == "firing"]
    # the target is what the cluster says; where the labels say something else, all of them mean it
    meant = [alert for alert in firing if find_target(alert) == case.target] or firing
    names = (find_alerts_pod(alert) or "" for alert in meant)
    return next((name for name in names if _is_name(name)), None)


def _through_pod(
    case: Case, answers: Answers, pod: str, namespace: str
) -> Sourced[Workload] | UnsupportedObject | CallTools | HandOver:
    the_pod, replicasets = get_one("Pod", pod, namespace), list_all("replicasets", namespace)
    if calls := answers.unasked((the_pod, replicasets)):
        return CallTools(reason=f"Find out who owns pod {pod}: the name alone doesn't tell.", calls=calls)
    found = answers.read(the_pod, Pod)
    if found is None:
        return _refuse(
            f"neither {case.target} nor its pod {pod} can be read: {_error(answers, the_pod)}",
            _advise_on_absence(case),
        )
    owner = found.value.metadata.controller
    if owner and owner.kind == "Node":
        refusal = _refuse(
            f"pod {pod} is a static pod of node {owner.name}: the kubelet there makes it from a file",
            f"Look at the pod (kubectl describe pod {pod} -n {namespace}), and at its manifest on node "
            f"{owner.name}, usually in /etc/kubernetes/manifests; on the node, journalctl -u kubelet.",
        )
        return UnsupportedObject("Pod", pod, namespace, found, None, refusal)
    if owner and owner.kind == "ReplicaSet":
        owner = _owner_of(answers, replicasets, owner) or owner
    if owner is None or owner.kind not in WORKLOAD_KINDS:
        made_by = f"{quote(owner.kind)}/{owner.name}" if owner else "nothing: nobody would replace it"
        refusal = _refuse(
            f"pod {pod} belongs to {made_by}, and there is no runbook for that",
            f"Look at pod {pod} and fix the manifest that it was made from.",
        )
        kind, name = (owner.kind, owner.name) if owner else ("Pod", pod)
        return UnsupportedObject(kind, name, namespace, found, owner, refusal)
    return _owning_workload(answers, owner, pod, namespace)


def _owning_workload(
    answers: Answers, owner: Owner, pod: str, namespace: str
) -> Sourced[Workload] | CallTools | HandOver:
    wanted = get_one(owner.kind, owner.name, namespace)
    if calls := answers.unasked((wanted,)):
        return CallTools(reason=f"Pod {pod} belongs to {owner.kind}/{owner.name}: read that.", calls=calls)
    return answers.read(wanted, Workload) or _refuse(
        f"{owner.kind}/{owner.name}, which owns pod {pod}, can't be read: {_error(answers, wanted)}",
        f"Check whether {owner.kind}/{owner.name} is being deleted, and whether the reader may read it.",
    )


def _owner_of(answers: Answers, call: ReadCall, replicaset: Owner) -> Owner | None:
    found = answers.read(call, Items[Workload])
    owners = (
        each.metadata.controller
        for each in (found.value.items if found else ())
        if each.metadata.name == replicaset.name
    )
    return next(owners, None)


def _first_reason(case: Case, pod: str | None) -> str:
    alerts = len(case.group.alerts)
    what = f"{alerts} alert{'s' if alerts > 1 else ''} {quote(case.group.alerts[0].name)} about {case.target}"
    return f"{what}: look at {f'pod {pod} and its events, and at ' if pod else ''}the workload itself first."


def _advise_on_absence(case: Case) -> str:
    return (
        f"Find out what the alert means: {case.target} was drawn from its labels, which may name something "
        "else, such as the exporter that measured it. Or it was deleted; then find out whether on purpose."
    )


def _error(answers: Answers, call: ReadCall) -> str:
    answer = answers.find(call)
    return quote_error(answer) if answer else "it wasn't asked"


def _refuse(reason: str, advice: str) -> HandOver:
    return HandOver(reason=reason, advice=(advice,))


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True
