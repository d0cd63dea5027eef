"""A container is throttled at its CPU limit: propose a higher one that it had, or leave it to a person.

The API doesn't tell how much CPU is used, so that no estimate is made.
"""

from collections.abc import Iterator

from graph.domain.quantities import parse_amount
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.finding import Finding, Remedy, combine
from graph.runbooks.objects.pod_template import Container

_ALERT = "CPUThrottling"


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the alert says that CPU is throttled and containers have a CPU limit, or None."""
    limited = [each for each in snapshot.template.containers if "cpu" in each.resources.limits]
    if not limited or not any(_ALERT in name for name in snapshot.alerts):
        return None
    workload = snapshot.workload.value
    limits = ", ".join(f"{each.name} ({each.resources.limits['cpu']})" for each in limited)
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its containers are throttled at their CPU limits: {limits}",
        cause="The alert measures how often the kernel held a container back; the pods are ready.",
        confidence="medium",
        evidence=(snapshot.workload.evidence,),
        options=combine(workload, (tuple(_remedies(snapshot, each)) for each in limited)),
        advice=tuple(
            f"Compare with kubectl top pods --containers, and raise the limit if it is too tight: kubectl set"
            f" resources {workload.kind.lower()}/{workload.metadata.name} -n {workload.metadata.namespace}"
            f" -c {each.name} --limits=cpu=..."
            for each in limited
        ),
        prevention=(
            "Set CPU requests from what is measured; a CPU limit is needed less often than one of memory.",
        ),
    )


def _remedies(snapshot: Snapshot, container: Container) -> Iterator[Remedy]:
    now = parse_amount(container.resources.limits["cpu"])
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(container.name)
        quantity = older.resources.limits.get("cpu") if older else None
        then = parse_amount(quantity) if quantity is not None else None
        if now is not None and then is not None and then > now:
            yield Remedy(
                container=container.name,
                fields={"resources": {"limits": {"cpu": str(quantity)}}},
                change=f"raise the CPU limit of container {container.name} to {quantity}",
                grounding="last_good_revision",
                basis=past.tell(f"had a CPU limit of {quantity}"),
                confidence=past.confidence,
                evidence=past.evidence,
            )
