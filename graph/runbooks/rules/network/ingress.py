"""Ingresses that lead nowhere, and network policies that let nobody in. Both are left to a person."""

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Confidence
from graph.runbooks.evidence.network_reads import Front
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, unique
from graph.runbooks.objects.neighbours import Service
from graph.runbooks.objects.network import BackendPort, Ingress
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.rules.network.service_selector import list_behind


def diagnose_ingress(snapshot: Snapshot) -> Finding | None:
    """Return a finding if an Ingress means the workload's Service and misses it, or None."""
    front = snapshot.front
    if front is None or front.ingresses is None or front.services is None:
        return None
    own = {each.metadata.name: each for each in list_behind(front, snapshot.workload.value)}
    there = {each.metadata.name for each in front.services.value}
    for ingress in front.ingresses.value:
        for name, port in ingress.backends:
            fault, repair = "", ""
            if name not in there and (meant := find_nearest(name, there)) in own and meant:
                fault, repair = f"names Service {quote(name)}, which doesn't exist", f"it means {meant}"
            elif name in own and not _has_port(own[name], port):
                ports = ", ".join(f"{each.port} {each.name}".strip() for each in own[name].spec.ports)
                wanted = port.name or str(port.number)
                fault = f"names port {quote(wanted)} of Service {name}, which it doesn't have"
                repair = f"it has: {ports}"
            if fault:
                return _ingress(snapshot, front.ingresses, ingress, fault, repair)
        if unserved := _class(front, ingress, own):
            return _ingress(snapshot, front.ingresses, ingress, *unserved)
    return None


def _has_port(service: Service, port: BackendPort) -> bool:
    if port.name:
        return any(each.name == port.name for each in service.spec.ports)
    return port.number == 0 or any(each.port == port.number for each in service.spec.ports)


def _class(front: Front, ingress: Ingress, own: dict[str, Service]) -> tuple[str, str] | None:
    wanted = ingress.spec.ingress_class_name
    if not wanted or front.classes is None or not any(name in own for name, _ in ingress.backends):
        return None
    known = [each.metadata.name for each in front.classes.value]
    if wanted in known:
        return None
    meant = find_nearest(wanted, known)
    hint = f"it means {meant}" if meant else f"there are: {', '.join(known[:10]) or 'none'}"
    return f"wants IngressClass {quote(wanted)}, which doesn't exist, so that no controller serves it", hint


def _ingress(
    snapshot: Snapshot, source: Sourced[tuple[Ingress, ...]], ingress: Ingress, fault: str, repair: str
) -> Finding:
    name, namespace = ingress.metadata.name, ingress.metadata.namespace
    return Finding(
        subject=Target(kind="Ingress", namespace=namespace, name=name),
        fault=f"Ingress {name} {fault}",
        cause=f"Ingress {name} {fault}; {repair}. The pods behind it are well.",
        confidence="high",
        evidence=unique((snapshot.workload.evidence, source.evidence)),
        options=(),
        advice=(f"Correct it ({repair}): kubectl edit ingress {name} -n {namespace}",),
        prevention=("Check in CI that an Ingress names Services, ports and classes that exist.",),
    )


def diagnose_policy(snapshot: Snapshot) -> Finding | None:
    """Return a finding if policies let no connection at all into pods that a Service sends to, or None."""
    front = snapshot.front
    if front is None or front.policies is None:
        return None
    workload = snapshot.workload.value
    labels = workload.spec.template.metadata.labels
    policies = [each for each in front.policies.value if each.selects(labels) and each.limits_ingress]
    services = list(list_behind(front, workload))
    if not policies or not services or any(each.spec.ingress for each in policies):
        return None
    name, namespace = policies[0].metadata.name, workload.metadata.namespace
    confidence: Confidence = "medium"  # whether the network enforces policies isn't known
    return Finding(
        subject=Target(kind="NetworkPolicy", namespace=namespace, name=name),
        fault=f"NetworkPolicy {name} lets nobody connect to the pods of {workload}",
        cause=(
            f"Every policy that selects these pods allows no ingress, and Service {services[0].metadata.name}"
            " sends to them."
        ),
        confidence=confidence,
        evidence=unique((snapshot.workload.evidence, front.policies.evidence)),
        options=(),
        advice=(
            (
                "Decide who must reach these pods, and allow just that in a policy of its own (podSelector,"
                f" namespaceSelector and port): kubectl describe networkpolicy -n {namespace}. Don't"
                f" widen {name}."
            ),
        ),
        prevention=("Deploy each workload together with the policy that lets its callers in.",),
    )
