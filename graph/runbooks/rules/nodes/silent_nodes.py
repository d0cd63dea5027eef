"""The API server gets no answer from a node's kubelet: logs can't be read, and the node is at fault itself.

`kubectl logs`, `exec` and `port-forward` go from the API server to the kubelet's port 10250. A node may count
as ready meanwhile: its kubelet reports to the API server by itself.
"""

import re
from collections.abc import Iterator

from graph.domain.alerts.targets import Target
from graph.runbooks.evidence.snapshot import Snapshot, UnreadLog
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding, unique

_MOST_LOGS, _MOST_LISTS = 2, 3
_CERTIFICATE = re.compile(r"\btls\b|x509|certificate", re.IGNORECASE)


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if a log couldn't be read because a kubelet doesn't answer, or None."""
    silent = [each for each in snapshot.unread if each.value.is_silent and each.value.node]
    if not silent:
        return None
    log = silent[0].value
    workload = snapshot.workload.value
    return Finding(
        subject=Target(kind="Node", namespace=None, name=log.node),
        fault=(
            f"{workload} isn't well, and the kubelet of node {log.node} doesn't answer the API server, "
            "so that its logs can't be read"
        ),
        cause=(
            f"{_describe_end(snapshot, log)}The log of container {log.container} of pod {log.pod} was asked"
            f" for: {quote(log.why)}."
        ),
        confidence="medium",
        evidence=unique((snapshot.pods.evidence, *(each.evidence for each in silent))),
        options=(),
        advice=tuple(_advise(log)),
        prevention=("Watch whether the API server reaches the kubelets: kubectl logs of one pod a node.",),
    )


def _describe_end(snapshot: Snapshot, log: UnreadLog) -> str:
    """Return what the container left as its termination message, which the API server keeps."""
    ends = (
        end
        for sighting in snapshot.sightings()
        if (sighting.pod.metadata.name, sighting.status.name) == (log.pod, log.container)
        for end in sighting.status.ends
    )
    end = next((end for end in ends if end.message.strip()), None)
    if end is None:
        return ""
    how = f"Container {log.container} ended with exit code {end.exit_code}"
    return f'{how} and the message "{quote(end.message)}". '


def describe_unread(snapshot: Snapshot, *, logs: bool = True) -> str:
    """Return which logs and lists the diagnosis does without, as a sentence; empty where all were read."""
    unread = [
        f"the log of container {log.value.container} of pod {log.value.pod} "
        f"({quote(log.value.why)} [{log.evidence}])"
        for log in (snapshot.unread if logs else ())
    ]
    lacking = unique((*unread[:_MOST_LOGS], *(gap.value for gap in snapshot.gaps[:_MOST_LISTS])))
    return f" This was found without {'; '.join(lacking)}." if lacking else ""


def _advise(log: UnreadLog) -> Iterator[str]:
    if _CERTIFICATE.search(log.why):
        yield (
            "See whether the kubelet waits for its serving certificate (kubectl get csr, those of "
            f"system:node:{log.node} that are Pending), and approve it once you know that it is that node's: "
            "kubectl certificate approve <name>"
        )
    yield (
        f"Look at node {log.node}: kubectl describe node {log.node}; on it, systemctl status kubelet, "
        "journalctl -u kubelet; and let the API server reach its port 10250."
    )
    yield f"Until then read the log on the node: crictl ps -a --name {log.container}, crictl logs <id>"
