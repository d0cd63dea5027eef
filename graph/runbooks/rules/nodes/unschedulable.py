"""No node takes the pod: propose the placement that an older revision had, or the label that was meant.

A value is proposed only if a ready node would then take the pod, were it empty. A full cluster, a taint that
somebody has set, and spreading rules are matters for a person.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graph.runbooks.evidence.revisions import Past, list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.differences import find_difference
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.neighbours import Node
from graph.runbooks.objects.pod_template import PodSpec
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.repairs.node_fit import find_untolerated, fits_affinity, fits_selector, has_room, takes

_CLAIMS = re.compile(r"persistentvolumeclaim", re.IGNORECASE)


@dataclass(frozen=True)
class _Case:
    """The pod that waits, what the scheduler said, and the cluster's ready nodes."""

    spec: PodSpec
    said: Sourced[str]
    nodes: Sourced[tuple[Node, ...]] | None

    @property
    def ready(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes.value if node.is_ready) if self.nodes else ()


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the scheduler finds no node for one of the newest pods, or None.

    What waits for a volume is another runbook's.
    """
    said = _said(snapshot)
    if said is None or _CLAIMS.search(said.value):
        return None
    case = _Case(snapshot.template, said, snapshot.nodes)
    workload = snapshot.workload.value
    reasons = tuple(_reasons(case))
    why = " and ".join(reasons) or "the scheduler finds no node for it"
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its pods can't be placed: {why}",
        cause=f'The scheduler said: "{quote(said.value)}". {_tell(case)}',
        confidence="high" if reasons else "medium",
        evidence=unique(
            (
                snapshot.workload.evidence,
                said.evidence,
                *((snapshot.nodes.evidence,) if snapshot.nodes else ()),
            )
        ),
        options=combine(workload, [tuple(_remedies(snapshot, case))]),
        advice=tuple(_advise(snapshot, case)),
        prevention=(
            "Keep node labels and the selectors that name them in one repository, and check them in CI.",
            "Alert on pods that stay Pending, before the old ones are gone (maxUnavailable 0).",
        ),
    )


def _said(snapshot: Snapshot) -> Sourced[str] | None:
    for pod in snapshot.newest_pods:
        if pod.unschedulable is not None and _as_wanted(pod.spec, snapshot.template):
            return Sourced(snapshot.pods.evidence, pod.unschedulable)
    return None


def _as_wanted(made: PodSpec, wanted: PodSpec) -> bool:
    """Whether the pod was made from the template as it is now."""
    requests = [
        [(each.name, each.resources.requests) for each in spec.containers if each.resources.requests]
        for spec in (made, wanted)
    ]
    return requests[0] == requests[1] and made.node_selector == wanted.node_selector


def _reasons(case: _Case) -> Iterator[str]:
    """Yield what certainly keeps every ready node from taking the pod."""
    nodes, spec = case.ready, case.spec
    if not nodes:
        if case.nodes:
            yield "no node is ready"
        return
    if not any(fits_selector(node, spec.node_selector) for node in nodes):
        yield f"no ready node has the labels {_write(spec.node_selector)}"
    elif all(fits_affinity(node, spec.affinity) is False for node in nodes):
        yield "no ready node meets its node affinity"
    elif all(has_room(node, spec) is False for node in nodes):
        yield "it asks for more than any node has"
    elif all(find_untolerated(node, spec.tolerations) for node in nodes):
        yield "every ready node has a taint that it doesn't tolerate"


def _remedies(snapshot: Snapshot, case: _Case) -> Iterator[Remedy]:
    if case.nodes is None or any(takes(node, case.spec) for node in case.ready):
        return  # an empty node would take it: the cluster is full, or pods keep others away
    for past in list_past(snapshot):
        yield from _restore(case, past)
    yield from _relabel(case)


def _restore(case: _Case, past: Past) -> Iterator[Remedy]:
    """Yield the placement of an older revision, as far as it differs, if a node takes the pod then."""
    then = past.revision.pod_spec
    now = case.spec
    requests = {each.name: each.resources for each in then.containers}
    mixed = now.model_copy(
        update={
            "node_selector": then.node_selector,
            "affinity": then.affinity,
            "tolerations": then.tolerations,
            "containers": tuple(
                each.model_copy(update={"resources": requests.get(each.name, each.resources)})
                for each in now.containers
            ),
        }
    )
    fields = _placement(now, then)
    if not fields or not any(takes(node, mixed) for node in case.ready):
        return
    assert case.nodes is not None, "there are ready nodes"
    what = ", ".join(key for key in fields if key != "containers") or "its requests"
    yield Remedy(
        container=None,
        fields=fields,
        change=f"place the pods as revision {past.revision.revision} did ({what})",
        grounding="last_good_revision",
        basis=past.tell("was placed otherwise"),
        confidence=past.confidence,
        evidence=(*past.evidence, case.nodes.evidence),
    )


def _placement(now: PodSpec, then: PodSpec) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if selector := find_difference(now.node_selector, then.node_selector):
        fields["nodeSelector"] = selector
    if affinity := find_difference(now.affinity, then.affinity):
        fields["affinity"] = affinity
    if now.tolerations != then.tolerations:
        fields["tolerations"] = [each.as_patch() for each in then.tolerations]
    older = {each.name: each.resources for each in then.containers}
    resources = [
        {"name": each.name, "resources": {"requests": changed}}
        for each in now.containers
        if each.name in older
        and (changed := find_difference(each.resources.requests, older[each.name].requests))
        and None not in changed.values()
    ]
    return {**fields, **({"containers": resources} if resources else {})}


def _relabel(case: _Case) -> Iterator[Remedy]:
    """Yield the selector with the one slip mended that keeps the ready nodes away."""
    assert case.nodes is not None, "there are ready nodes"
    selector = case.spec.node_selector
    for key, value in selector.items():
        rest = {other: each for other, each in selector.items() if other != key}
        nodes = [node for node in case.ready if fits_selector(node, rest)]
        if any(node.metadata.labels.get(key) == value for node in nodes):
            continue  # this one isn't at fault
        there = {node.metadata.labels[key] for node in nodes if key in node.metadata.labels}
        named = {other for node in nodes for other, each in node.metadata.labels.items() if each == value}
        if meant := find_nearest(value, there):
            fields: dict[str, str | None] = {key: meant}
            change = f"{key}={meant} instead of {value}"
            known = f"nodes have {key}={meant}, and nothing else is as near to {value}"
        elif not there and (called := find_nearest(key, named)):
            fields = {key: None, called: value}
            change = f"{called}={value} instead of {key}"
            known = f"nodes have {called}={value}, and no other label is as near to {key}"
        else:
            continue
        fixed_by = {name: text for name, text in {**selector, **fields}.items() if text is not None}
        if any(takes(node, case.spec.model_copy(update={"node_selector": fixed_by})) for node in case.ready):
            yield Remedy(
                container=None,
                fields={"nodeSelector": fields},
                change=f"ask for nodes with {change}",
                grounding="evidence",
                basis=f"{known[0].upper()}{known[1:]}.",
                confidence="medium",
                risk="medium",
                evidence=(case.nodes.evidence,),
            )


def _tell(case: _Case) -> str:
    if case.nodes is None:
        return "The nodes couldn't be read."
    return f"{len(case.ready)} of {len(case.nodes.value)} nodes are ready."


def _advise(snapshot: Snapshot, case: _Case) -> Iterator[str]:
    workload, said = snapshot.workload.value, case.said.value
    edit = f"kubectl edit {workload.kind.lower()} {workload.metadata.name} -n {workload.metadata.namespace}"
    selector = case.spec.node_selector
    if case.nodes and case.ready and not any(fits_selector(node, selector) for node in case.ready):
        pairs = " ".join(f"{key}={value}" for key, value in selector.items())
        yield (
            f"Correct the nodeSelector {_write(selector)} ({edit}), or label a node if one is meant"
            " to have it:"
            f" kubectl label node NODE {pairs}"
        )
    if re.search(r"\bInsufficient |Too many pods", said):
        yield (
            "Compare what the pod requests with what nodes have left (kubectl describe nodes): lower its"
            f" requests if they are wrong ({edit}), remove what isn't needed, or add a node."
        )
    if "taint" in said:
        taints = {
            f"{taint.key}={taint.value}:{taint.effect}"
            for node in case.ready
            if (taint := find_untolerated(node, case.spec.tolerations))
        }
        yield (
            f"Nodes are tainted ({', '.join(sorted(taints)) or 'see kubectl describe nodes'}): if the"
            " pods belong"
            f" there, give them a toleration ({edit}); if the taint is left over, kubectl taint nodes"
            " NODE KEY-"
        )
    if "topology spread" in said or "anti-affinity" in said or "pod affinity" in said:
        yield (
            "Its spreading rules (topologySpreadConstraints, podAffinity, podAntiAffinity) leave no node: add"
            f" nodes or zones, lower the replicas, or make the rule a preference ({edit})."
        )
    if "free ports" in said:
        yield f"Other pods hold its hostPort on every node: drop it ({edit}), or lower the replicas."
    yield f"Read why each node is refused: kubectl describe pods -n {workload.metadata.namespace}"


def _write(selector: dict[str, str]) -> str:
    return quote(",".join(f"{key}={value}" for key, value in sorted(selector.items())))
