"""A certificate is out of date: somebody must renew it; no patch of the workload helps."""

import re

from graph.runbooks.evidence.crashes import hear
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.config_references import list_uses
from graph.runbooks.objects.finding import Finding, unique

_EXPIRED = re.compile(
    r"certificate has expired|CERT_HAS_EXPIRED|certificate is not yet valid|certificate expired"
    r"|sslv3 alert certificate expired|CertificateExpiredException|NotAfter: ",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"(?:https|wss|amqps|rediss|ldaps|tls)://(?:[^@/\s]{1,100}@)?(?P<host>[a-z0-9][a-z0-9.-]{2,200})"
)
# programs name whom they called a few lines from the error, above a stack trace or below it
_AROUND = 12
_MOST_HOSTS = 3


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a container that isn't well complains of an expired certificate, or None."""
    said = next((line for line in _lines(snapshot) if _EXPIRED.search(line.value[:2_000])), None)
    if said is None:
        return None
    workload = snapshot.workload.value
    namespace = workload.metadata.namespace
    secrets = list(dict.fromkeys(use.name for use in list_uses(snapshot.template) if use.kind == "Secret"))
    hosts = _list_hosts(snapshot, said)
    called = f" The lines around it name {', '.join(hosts)}." if hosts else ""
    which = f" It mounts or reads these Secrets: {', '.join(secrets[:10])}." if secrets else ""
    return Finding(
        subject=workload.target,
        fault=f"{workload}: a certificate that it meets has expired",
        cause=f'It was said: "{quote(said.value)}".{called}',
        confidence="high",
        evidence=unique((snapshot.workload.evidence, said.evidence)),
        options=(),
        advice=(
            (
                "Find out whose certificate it is (its own or that of whom it calls) and renew"
                f" it.{which} See its dates:"
                f" kubectl get secret NAME -n {namespace} -o jsonpath='{{.data.tls\\.crt}}' | base64 -d |"
                " openssl x509"
                " -noout -dates. With cert-manager: kubectl describe certificate -n"
                f" {namespace}; cmctl renew NAME."
            ),
            (
                f"Restart what reads it only at its start: kubectl rollout restart {workload.kind.lower()}/"
                f"{workload.metadata.name} -n {namespace}"
            ),
        ),
        prevention=("Renew certificates by a controller, and alert three weeks before they end.",),
    )


def _list_hosts(snapshot: Snapshot, said: Sourced[str]) -> tuple[str, ...]:
    """Return the hosts that a log calls by TLS near the line that was quoted."""
    for tail in snapshot.logs:
        lines = tail.value.text.splitlines()
        if tail.evidence == said.evidence and said.value in lines:
            place = lines.index(said.value)
            near = "\n".join(lines[max(0, place - _AROUND) : place + _AROUND + 1])
            return unique(match["host"].rstrip(".-") for match in _HOST.finditer(near))[:_MOST_HOSTS]
    return ()


def _lines(snapshot: Snapshot) -> list[Sourced[str]]:
    return [
        line
        for sighting in snapshot.sightings()
        if snapshot.is_unwell(sighting.status, init=sighting.pod.spec.initialises(sighting.status.name))
        for line in hear(snapshot, sighting)
        # a registry's certificate, which a failed pull names, is another runbook's
        if "pull image" not in line.value and "failed to resolve reference" not in line.value
    ]
