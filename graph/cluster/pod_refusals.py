"""Whether the API server lets in the pods that a workload's controller wants to make, as its status says.

A patch of a template is let in without a look at quotas, limit ranges or security standards: its pods aren't.
"""

from datetime import datetime

from graph.cluster.workloads import Document, count_replicas
from graph.ports import ClusterReader

_REASON = "FailedCreate"


async def find_refusal(cluster_reader: ClusterReader, workload: Document, since: datetime) -> str:
    """Return why the pods of a workload's present template aren't let in, or an empty text.

    Deployments say so themselves. Of the others only events tell, which count if they are later than `since`.
    Raises `ClusterError`.
    """
    replicas = count_replicas(workload)
    if replicas is None or replicas.updated >= replicas.desired:
        return ""
    if workload.get("kind") == "Deployment":
        return _failure_of(workload)
    uid = workload["metadata"]["uid"]
    events = await cluster_reader.list("Event", workload["metadata"].get("namespace"))
    told = [
        str(event.get("message", ""))
        for event in events
        if event.get("reason") == _REASON
        and (event.get("involvedObject") or {}).get("uid") == uid
        and _is_later(event, since)
    ]
    return told[-1] if told else ""


def _failure_of(deployment: Document) -> str:
    for one in deployment.get("status", {}).get("conditions") or []:
        if (one.get("type"), one.get("status"), one.get("reason")) == ("ReplicaFailure", "True", _REASON):
            return str(one.get("message", ""))
    return ""


def _is_later(event: Document, since: datetime) -> bool:
    seen = event.get("lastTimestamp") or event.get("eventTime")
    return bool(seen) and datetime.fromisoformat(str(seen)) >= since.replace(microsecond=0)
