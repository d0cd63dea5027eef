"""What an alert claims, where reading the Kubernetes API can show whether that is so.

This table is closed: an alert that isn't in it measures something else (errors, latency, disks, quotas,
certificates, …), and healthy pods are no answer to it.
"""

import re
from typing import Literal

from graph.alerts import Alert

Claim = Literal["pods", "replicas", "job", "volume_claim", "node", "namespace"]

# https://github.com/kubernetes-monitoring/kubernetes-mixin/blob/master/runbook.md
_BY_NAME: dict[str, Claim] = {
    "KubePodCrashLooping": "pods",
    "KubePodNotReady": "pods",
    "KubeContainerWaiting": "pods",
    "KubeDeploymentGenerationMismatch": "replicas",
    "KubeDeploymentReplicasMismatch": "replicas",
    "KubeDeploymentRolloutStuck": "replicas",
    "KubeStatefulSetGenerationMismatch": "replicas",
    "KubeStatefulSetReplicasMismatch": "replicas",
    "KubeStatefulSetUpdateNotRolledOut": "replicas",
    "KubeDaemonSetRolloutStuck": "replicas",
    "KubeDaemonSetNotScheduled": "replicas",
    "KubeJobFailed": "job",
    "KubeJobNotCompleted": "job",
    "KubeJobCompletion": "job",
    "KubePersistentVolumeClaimPending": "volume_claim",
    "KubeNodeNotReady": "node",
    "KubeNodeUnreachable": "node",
    "KubeNodePressure": "node",
    "KubeNamespaceStuckTerminating": "namespace",
    "KubeNamespaceTerminating": "namespace",
}
_NOT_READY = (
    r"(not|isn't|aren't|never|no) (yet )?(ready|healthy|running|available)|unready|unhealthy|unavailable"
)
_WORDS_OF: tuple[tuple[Claim, str], ...] = (
    ("namespace", r"namespace.*terminating"),
    ("node", rf"\bnode.*({_NOT_READY}|unreachable|(memory|disk|pid) ?pressure)"),
    ("volume_claim", r"(persistent ?volume ?claim|pvc|claim).*(pending|unbound|not bound)"),
    ("job", r"\b(cron ?)?job.*(failed|failing|not complete|incomplete)"),
    ("replicas", r"replicas? ?(set)? ?(mismatch|missing|unavailable|shortage|not)|generation mismatch"),
    ("replicas", r"(missing|unavailable|too few) replicas|(rollout|update) (is )?(stuck|not|failed)"),
    ("replicas", rf"(deployment|stateful ?set|daemon ?set|workload).*({_NOT_READY})"),
    ("pods", r"crash ?loop|image ?pull|err ?image|create container (config )?error"),
    ("pods", r"container ?(is )?(in )?waiting|waiting (state|longer)"),
    ("pods", rf"pods?.*(pending|{_NOT_READY})|containers?.*({_NOT_READY})"),
)
_BY_WORDS = tuple((claim, re.compile(pattern)) for claim, pattern in _WORDS_OF)
# an alert that speaks of any of this measures more than what the API shows
_MEASURES = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("the data of its own rule", r"data ?source|no ?data"),
        ("certificates", r"\bcert|\btls\b|\bssl\b|expir"),
        ("quotas", r"quota|overcommit"),
        ("volumes and disks", r"\bdisk(?! ?pressure)|file ?system|inode|storage|volume|\bpvc?\b|\braid\b"),
        ("lag and queues", r"\blag|queue|backlog|behind|replication|consumer|offset|\bstale|\bsync"),
        ("latency", r"latenc|slow|duration|response time|\bp9[059]|apdex|seconds"),
        ("traffic and errors", r"(?<!config )(?<!container )\berrors?\b|[45]xx|\b5\d\d\b|success|\bburn"),
        ("traffic and errors", r"\brequests?\b|traffic|\bslo\b|availability|\bhttp|\bgrpc|\bprobe"),
        ("traffic and errors", r"throughput|\brate\b|timeouts?\b|logins?\b"),
        ("memory", r"memory(?! ?pressure)|\boom|\bheap|\bgc\b|\bswap"),
        ("processors", r"\bcpu|throttl|\bload\b|saturat"),
        ("restarts over a longer time", r"restart|flap|reboot"),
        ("backups", r"backup|snapshot"),
        ("whether a scrape reaches it", r"\btargets?\b|scrape|\bup\b|absent|\bdown\b|metrics?\b"),
        ("the network", r"network|packet|conntrack|\bdns\b|connection"),
    )
)
_OF_CLAIM: dict[Claim, frozenset[str]] = {"volume_claim": frozenset({"volumes and disks"})}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[-_/.:\s]+")
_SHORTEST = 3


def find_claim(alert: Alert) -> Claim | None:
    """Return what an alert claims, None where the Kubernetes API doesn't show whether that is so.

    Its rule's name decides where it is a well-known one, else the words of its name, then of its summary.
    """
    if known := _BY_NAME.get(alert.name):
        return known
    name, summary = _spell(alert.name), _spell_summary(alert)
    claims = (claim for text in (name, summary) for claim, pattern in _BY_WORDS if pattern.search(text))
    claim = next(claims, None)
    if claim is None or set(_list_measures(f"{name} {summary}")) - _OF_CLAIM.get(claim, frozenset()):
        return None
    return claim


def describe_measure(alert: Alert) -> str:
    """Return in words what an alert measures; empty where its name and summary don't say it."""
    return next(iter(_list_measures(f"{_spell(alert.name)} {_spell_summary(alert)}")), "")


def _list_measures(text: str) -> list[str]:
    return [what for what, pattern in _MEASURES if pattern.search(text)]


def _spell(text: str) -> str:
    return " ".join(_WORDS.sub(" ", text).lower().split())


def _spell_summary(alert: Alert) -> str:
    """Return the summary's words without the names that its template filled in."""
    text = alert.annotations.get("summary", "")
    for value in sorted(alert.labels.values(), key=len, reverse=True):
        if len(value) >= _SHORTEST and value != alert.name:
            text = text.replace(value, " ")
    return _spell(text)
