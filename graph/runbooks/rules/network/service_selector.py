"""A Service sends to nobody, or to a port that no pod has, though the pods are well."""

from collections.abc import Iterator
from typing import Any

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Candidate, Confidence
from graph.runbooks.evidence.network_reads import Front
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Finding, Option, unique
from graph.runbooks.objects.neighbours import Service, ServicePort
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.objects.workloads import Workload
from graph.runbooks.repairs.examples import list_names
from tools.kubernetes.patch import PatchArguments


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a Service that belongs to the healthy workload can't reach its pods, or None."""
    front = snapshot.front
    if front is None or front.services is None:
        return None
    for service in front.services.value:
        finding = _selects_nothing(snapshot, front, service) or _misses_port(snapshot, front, service)
        if finding:
            return finding
    return None


def _selects_nothing(snapshot: Snapshot, front: Front, service: Service) -> Finding | None:
    if front.endpoints is None or not service.spec.selector:
        return None
    behind = next(
        (each for each in front.endpoints.value if each.metadata.name == service.metadata.name), None
    )
    if behind is None or not behind.is_empty:
        return None
    workload = snapshot.workload.value
    labels = workload.spec.template.metadata.labels
    wrong = {key: value for key, value in service.spec.selector.items() if labels.get(key) != value}
    meant = {key: labels[key] for key in wrong if key in labels}
    if not wrong or not _belongs(snapshot, service, wrong):
        return None
    asked = ",".join(f"{key}={value}" for key, value in sorted(service.spec.selector.items()))
    option = (
        _option(
            service,
            {"spec": {"selector": meant}},
            f"let Service {service.metadata.name} select "
            + ",".join(f"{key}={value}" for key, value in sorted(meant.items())),
            f"The template of {workload} carries these labels, and its pods are ready.",
            "high" if len(wrong) == 1 else "medium",
            (snapshot.workload.evidence,),
        )
        if meant.keys() == wrong.keys()
        else None
    )
    return _finding(
        snapshot,
        front,
        service,
        f"Service {service.metadata.name} selects no pod ({asked}), while those of {workload} are ready",
        (option,) if option else (),
        (front.endpoints.evidence,),
    )


def _belongs(snapshot: Snapshot, service: Service, wrong: dict[str, str]) -> bool:
    """Whether the Service certainly means this workload: it has its name, or is a slip from its labels."""
    workload = snapshot.workload.value
    labels = workload.spec.template.metadata.labels
    if any(is_behind(service, each) for each in (snapshot.siblings.value if snapshot.siblings else ())):
        return False  # it means another one, which has no pods now
    if service.metadata.name == workload.metadata.name:
        return True
    if len(wrong) != 1 or len(service.spec.selector) > len(labels):
        return False
    ((key, value),) = wrong.items()
    siblings = snapshot.siblings.value if snapshot.siblings else ()
    others = {each.spec.template.metadata.labels.get(key, "") for each in siblings}
    meant = labels.get(key)
    return meant is not None and find_nearest(value, {meant, *others}, list_names(snapshot)) == meant


def _misses_port(snapshot: Snapshot, front: Front, service: Service) -> Finding | None:
    workload = snapshot.workload.value
    labels, selector = workload.spec.template.metadata.labels, service.spec.selector
    ports = [port for each in workload.pod_spec.containers for port in each.ports]
    if not selector or not selector.items() <= labels.items() or not ports:
        return None
    names = {port.name for port in ports if port.name}
    lost = [port for port in service.spec.ports if isinstance(port.target_port, str) and port.target_port]
    lost = [port for port in lost if not str(port.target_port).isdecimal() and port.target_port not in names]
    if not lost:
        return _odd_number(snapshot, front, service, {port.container_port for port in ports})
    wanted = str(lost[0].target_port)
    nearest = find_nearest(wanted, names) or (next(iter(names)) if len(names) == len(ports) == 1 else None)
    option = (
        _option(
            service,
            {"spec": {"ports": [{"port": lost[0].port, "targetPort": nearest}]}},
            f"let port {lost[0].port} of Service {service.metadata.name} lead to {nearest}",
            f"{workload} names a port {nearest}, and none {wanted}.",
            "medium",
            (snapshot.workload.evidence,),
        )
        if nearest and len(lost) == 1
        else None
    )
    return _finding(
        snapshot,
        front,
        service,
        f"Service {service.metadata.name} sends to port {wanted}, which no container of {workload} names",
        (option,) if option else (),
        (),
    )


def _odd_number(snapshot: Snapshot, front: Front, service: Service, declared: set[int]) -> Finding | None:
    """Return a finding for a Service all of whose ports lead where nothing is declared.

    A container may listen where it declares nothing, and addresses are there all the same: no check would
    show whether a change helped. So this is left to a person, and policies that shut the port come first.
    """
    workload, ports = snapshot.workload.value, service.spec.ports
    numbers = [port for port in ports if not isinstance(port.target_port, str) or not port.target_port]
    known = bool(ports) and len(numbers) == len(ports)
    if not known or any(_number(port) in declared for port in ports) or len(declared) != 1:
        return None
    (there,), wanted = declared, _number(ports[0])
    name, namespace = service.metadata.name, workload.metadata.namespace
    command = (
        f"kubectl patch service {name} -n {namespace} --patch"
        f' \'{{"spec":{{"ports":[{{"port":{ports[0].port},"targetPort":{there}}}]}}}}\''
    )
    ask = f"kubectl port-forward -n {namespace} {workload.kind.lower()}/{workload.metadata.name} {wanted}"
    shut = _list_shutting(snapshot, front, wanted)
    fault = f"Service {name} sends to port {wanted}, and {workload} declares only {there}"
    if shut:
        fault = f"NetworkPolicy {' and '.join(shut)} lets nobody connect to port {wanted} of {workload}"
    return _finding(
        snapshot,
        front,
        service,
        fault,
        (),
        (front.policies.evidence,) if shut and front.policies else (),
        cause=(
            f"Service {name} sends to port {wanted}, which {workload} doesn't declare. It may listen there"
            " all the same: declaring a port is optional."
            + (f" Of the policies that select its pods ({', '.join(shut)}) none admits it." if shut else "")
        ),
        advice=(
            *(
                f"See who must reach port {wanted}, and let them in: kubectl describe networkpolicy {each} -n"
                f" {namespace}"
                for each in shut
            ),
            f"See whether anything listens on {wanted}, which no policy hinders: {ask}",
            f"Only if nothing does: {command}",
        ),
        confidence="medium",
    )


def _list_shutting(snapshot: Snapshot, front: Front, number: int) -> tuple[str, ...]:
    """Return the policies that apply to the workload's pods, where none of them admits the port."""
    labels = snapshot.workload.value.spec.template.metadata.labels
    policies = front.policies.value if front.policies else ()
    applying = [each for each in policies if each.selects(labels) and each.limits_ingress]
    return (
        ()
        if any(each.admits(number) for each in applying)
        else tuple(each.metadata.name for each in applying)
    )


def _number(port: ServicePort) -> int:
    return port.target_port if isinstance(port.target_port, int) and port.target_port else port.port


def _option(  # noqa: PLR0913, PLR0917 - what an option is made of
    service: Service,
    patch: dict[str, Any],
    change: str,
    basis: str,
    confidence: Confidence,
    evidence: tuple[str, ...],
) -> Option:
    call = PatchArguments(
        resource_type="service",
        name=service.metadata.name,
        namespace=service.metadata.namespace,
        patch_data=patch,
    )
    candidate = Candidate(call=call, grounding="sibling", basis=basis, risk="medium")
    return Option(candidate=candidate, change=change, confidence=confidence, evidence=evidence)


def _finding(  # noqa: PLR0913, PLR0917 - what a finding is made of
    snapshot: Snapshot,
    front: Front,
    service: Service,
    fault: str,
    options: tuple[Option, ...],
    evidence: tuple[str, ...],
    *,
    cause: str = "",
    advice: tuple[str, ...] = (),
    confidence: Confidence = "high",
) -> Finding:
    assert front.services is not None, "the Service came from there"
    namespace = service.metadata.namespace
    return Finding(
        subject=Target(kind="Service", namespace=namespace, name=service.metadata.name),
        fault=fault,
        cause=cause or f"{fault}: whoever asks the Service gets no answer.",
        confidence=confidence,
        evidence=unique((snapshot.workload.evidence, front.services.evidence, *evidence)),
        options=options,
        advice=advice
        or (
            (
                f"Compare selector and ports with the pods' labels and ports: kubectl edit service"
                f" {service.metadata.name} -n {namespace}"
            ),
        ),
        prevention=("Alert on Services without ready endpoints, and generate selectors from one place.",),
    )


def is_behind(service: Service, workload: Workload) -> bool:
    """Whether the Service sends to the workload's pods."""
    selector = service.spec.selector
    return bool(selector) and selector.items() <= workload.spec.template.metadata.labels.items()


def list_behind(front: Front, workload: Workload) -> Iterator[Service]:
    """Yield the Services that send to the workload's pods."""
    for service in front.services.value if front.services else ():
        if is_behind(service, workload):
            yield service
