"""A program can't resolve a Service that exists: its pod asks the wrong name server, or gets no answer."""

import re

from graph.runbooks.evidence.crashes import hear
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.neighbours import Service
from graph.runbooks.rules.network.unknown_host import as_service, read_host

_SILENT = re.compile(
    r"lookup \S{1,253} on \S{1,60}: (?:read|dial) .{0,120}(?:i/o timeout|connection refused)"
    r"|Temporary failure in name resolution|getaddrinfo EAI_AGAIN|server misbehaving",
)


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if an existing Service isn't resolved, or name servers don't answer, or None."""
    lines = _lines(snapshot)
    for line in lines:
        service = as_service(read_host(line.value), snapshot.workload.value.metadata.namespace)
        exists = service and any(each.metadata.name == service for each in _services(snapshot))
        if exists and snapshot.template.dns_policy in {"Default", "None"}:
            return _misdirected(snapshot, service, line)
    silent = next((line for line in lines if _SILENT.search(line.value[:2_000])), None)
    return _unanswered(snapshot, silent) if silent else None


def _lines(snapshot: Snapshot) -> list[Sourced[str]]:
    return [
        line
        for sighting in snapshot.sightings()
        if snapshot.is_unwell(sighting.status, init=sighting.pod.spec.initialises(sighting.status.name))
        for line in hear(snapshot, sighting)
        if "pull image" not in line.value and "failed to resolve reference" not in line.value
    ]


def _services(snapshot: Snapshot) -> tuple[Service, ...]:
    return snapshot.services.value if snapshot.services else ()


def _misdirected(snapshot: Snapshot, service: str, line: Sourced[str]) -> Finding:
    workload, policy = snapshot.workload.value, snapshot.template.dns_policy
    assert snapshot.services is not None, "the Service came from there"
    remedies = [
        Remedy(
            container=None,
            fields={"dnsPolicy": "ClusterFirst"},
            change="let the pods ask the cluster's name server (dnsPolicy ClusterFirst)",
            grounding="last_good_revision",
            basis=past.tell("had dnsPolicy ClusterFirst"),
            confidence=past.confidence,
            evidence=past.evidence,
        )
        for past in list_past(snapshot)
        if past.revision.pod_spec.dns_policy == "ClusterFirst"
    ][:1]
    if policy == "Default" and not remedies:
        remedies = [
            Remedy(
                container=None,
                fields={"dnsPolicy": "ClusterFirst"},
                change="let the pods ask the cluster's name server (dnsPolicy ClusterFirst)",
                grounding="evidence",
                basis=f"Service {service} exists; with dnsPolicy Default the node's name server is asked.",
                confidence="medium",
                risk="medium",
                evidence=(snapshot.services.evidence,),
            )
        ]
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its pods can't resolve Service {service}, because their dnsPolicy is {policy}",
        cause=f'Service {service} exists, and the program wrote: "{quote(line.value)}".',
        confidence="high",
        evidence=unique((snapshot.workload.evidence, snapshot.services.evidence, line.evidence)),
        options=combine(workload, [remedies]),
        advice=(
            (
                "Set dnsPolicy to ClusterFirst (with hostNetwork: ClusterFirstWithHostNet), or correct"
                " dnsConfig:"
                f" kubectl edit {workload.kind.lower()} {workload.metadata.name} -n"
                f" {workload.metadata.namespace}"
            ),
        ),
        prevention=("Leave dnsPolicy at its default unless a pod is meant not to see Services.",),
    )


def _unanswered(snapshot: Snapshot, line: Sourced[str]) -> Finding:
    workload = snapshot.workload.value
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its pods get no answer from the name server",
        cause=f'The program wrote: "{quote(line.value)}".',
        confidence="medium",
        evidence=unique((snapshot.workload.evidence, line.evidence)),
        options=(),
        advice=(
            "See whether the name server runs: kubectl get pods -n kube-system -l k8s-app=kube-dns",
            (
                "See whether a NetworkPolicy with egress rules selects these pods and lets port 53 (UDP"
                " and TCP) through:"
                f" kubectl describe networkpolicy -n {workload.metadata.namespace}. If none does, add one"
                " for just that."
            ),
        ),
        prevention=("Allow DNS in every namespace that restricts egress.",),
    )
