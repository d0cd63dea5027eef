"""Alerts about nodes, claims and namespaces: no workload stands behind them, and a person must act."""

from graph.cluster.workloads import Condition
from graph.domain.alerts.claims import find_claim
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, Diagnosis, HandOver, NothingWrong, ReadCall
from graph.domain.lenient_model import Part
from graph.ports import Case
from graph.runbooks.collection.object_events import ask_events, tell_events
from graph.runbooks.evidence.judgement import judge_claims, list_firing
from graph.runbooks.evidence.reads import get_one, list_everywhere
from graph.runbooks.objects.answers import Answers, Sourced, quote, quote_error
from graph.runbooks.objects.neighbours import Claim, Named, Node
from graph.runbooks.objects.nodes import advise_on_node, describe_node, is_sick
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.objects.workloads import Items, Metadata

OTHERS = frozenset({"Node", "PersistentVolumeClaim", "Namespace"})
_REMAINS = frozenset(
    {
        "NamespaceDeletionDiscoveryFailure", "NamespaceDeletionContentFailure",
        "NamespaceContentRemaining", "NamespaceFinalizersRemaining",
    }
)  # fmt: skip


class _Conditions(Part):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class _Namespace(Part):
    metadata: Metadata
    status: _Conditions = _Conditions()


def examine(case: Case, answers: Answers) -> CallTools | HandOver | NothingWrong:
    """Return what to ask about one of the OTHERS, or what a person should do. It proposes nothing."""
    target = case.target
    it = _read(target)
    beside = _beside(target)
    if calls := answers.unasked((it, *beside)):
        return CallTools(reason=f"The alert is about {target}: look at it.", calls=calls)
    if (answer := answers.find(it)) and answer.is_error:
        return HandOver(
            reason=f"{target} can't be read: {quote_error(answer)}",
            advice=(f"Check whether {target} still exists, and whether the reader may read it.",),
        )
    match target.kind:
        case "Node":
            return _node(case, answers, answers.read(it, Node))
        case "Namespace":
            return _namespace(case, answers, answers.read(it, _Namespace))
    return _claim(case, answers, answers.read(it, Claim))


def _read(target: Target) -> ReadCall:
    call = get_one(target.kind, target.name, target.namespace or "")
    if target.namespace is None:
        del call.arguments["namespace"]
    return call


def _beside(target: Target) -> tuple[ReadCall, ...]:
    classes = (list_everywhere("storageclasses"),) if target.kind == "PersistentVolumeClaim" else ()
    return (*classes, ask_events(target))


def _node(case: Case, answers: Answers, node: Sourced[Node] | None) -> HandOver | NothingWrong:
    assert node is not None, "errors were sorted out before"
    target, happened = case.target, tell_events(answers, case.target, node.value.metadata.uid)
    if not is_sick(node.value):
        look = f"Look at the node itself: kubectl describe node {target.name}; on it, df -h, free -m, uptime."
        healthy = f"{target} is ready and under no pressure [{node.evidence}]{happened}"
        return judge_claims(case, "node", healthy, look)
    what = describe_node(node.value)
    return _hand_over(
        target,
        "node",
        f"node {target.name} {what}{happened}",
        (advise_on_node(target.name),),
        (node.evidence,),
    )


def _namespace(
    case: Case, answers: Answers, namespace: Sourced[_Namespace] | None
) -> HandOver | NothingWrong:
    assert namespace is not None, "errors were sorted out before"
    target, happened = case.target, tell_events(answers, case.target, namespace.value.metadata.uid)
    if namespace.value.status.phase != "Terminating":
        look = f"Look at what it holds: kubectl get all -n {target.name}"
        healthy = f"{target} isn't being deleted [{namespace.evidence}]{happened}"
        return judge_claims(case, "namespace", healthy, look)
    left = [
        each.message
        for each in namespace.value.status.conditions
        if each.type in _REMAINS and each.status == "True"
    ]
    said = "; ".join(quote(each) for each in left) or "it doesn't say what is left"
    advice = (
        (
            "See what is left: kubectl api-resources --verbs=list --namespaced -o name | xargs -n 1"
            " kubectl get -n"
            f" {target.name} --ignore-not-found --show-kind. An API service that doesn't answer keeps"
            " namespaces, too:"
            " kubectl get apiservices"
        ),
        (
            "Let the controller of what is left finish, or bring it back. Remove a finalizer by hand only"
            " when what it"
            " protects is known to be gone; never the namespace's own."
        ),
    )
    return _hand_over(
        target,
        "namespace",
        f"namespace {target.name} can't be deleted: {said}{happened}",
        advice,
        (namespace.evidence,),
    )


def _claim(case: Case, answers: Answers, claim: Sourced[Claim] | None) -> HandOver | NothingWrong:
    assert claim is not None, "errors were sorted out before"
    target = case.target
    assert target.namespace is not None, "claims have a namespace"
    classes = answers.read(list_everywhere("storageclasses"), Items[Named])
    events = answers.find(ask_events(target))
    sources = (claim.evidence, *((classes.evidence,) if classes else ()), *((events.id,) if events else ()))
    happened = tell_events(answers, target, claim.value.metadata.uid)
    phase, wanted = claim.value.status.phase, claim.value.spec.storage_class_name
    place = f"{target.name} -n {target.namespace}"
    if phase == "Bound":
        if all(find_claim(alert) == "volume_claim" for alert in list_firing(case)):
            return NothingWrong(reason=f"{target} is bound [{claim.evidence}]")
        return _hand_over(
            target,
            "storage",
            f"{target} is bound; how full it is, or what else the alert means, can't be seen through the API",
            (
                (
                    "See how full it is from a pod that mounts it (df -h), and free or grow it: kubectl"
                    f" patch pvc {place}"
                    " --patch"
                    ' \'{"spec":{"resources":{"requests":{"storage":"..."}}}}\', where its class allows'
                    " expansion (kubectl get storageclass)."
                ),
            ),
            sources,
        )
    known = [each.metadata.name for each in classes.value.items] if classes else None
    if wanted and known is not None and wanted not in known:
        meant = find_nearest(wanted, known)
        hint = f"it probably means {meant}" if meant else f"there are: {', '.join(known[:10]) or 'none'}"
        fault = f"{target} wants StorageClass {quote(wanted)}, which doesn't exist ({hint})"
        advice = (
            "A claim's class can't be changed: save its manifest, and if it holds no data, delete it"
            " and make it again"
            f" with the right storageClassName: kubectl delete pvc {place}"
        )
        return _hand_over(target, "storage", fault, (advice,), sources)
    fault = f"{target} is {quote(phase) or 'not bound'}{happened}"
    return _hand_over(
        target, "storage", fault, (f"Read what its provisioner says: kubectl describe pvc {place}",), sources
    )


def _hand_over(
    target: Target, runbook: str, fault: str, advice: tuple[str, ...], evidence: tuple[str, ...]
) -> HandOver:
    diagnosis = Diagnosis(
        summary=fault,
        cause=f"{fault[0].upper()}{fault[1:]}.",
        root_causes=(target,),
        evidence=evidence,
        source="runbook",
        confidence="high",
        runbook=runbook,
    )
    return HandOver(reason=fault, diagnosis=diagnosis, advice=advice)
