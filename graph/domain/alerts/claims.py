"""What an alert claims, where reading the Kubernetes API can show whether that is so.

This table is closed: an alert that isn't in it measures something else (errors, latency, disks, quotas,
certificates, …), and healthy pods are no answer to it.
"""

import re
from typing import Literal

from graph.domain.alerts.payload import Alert

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
# words that say nothing between an object and its state
_BETWEEN = r"s?(?: (?:is|are|has|have|been|in|a|an|the|of|its|stuck|state|phase|status|condition))*"
_NOT_READY = (
    r"(?:not|isn't|aren't|never|no|non) (?:yet )?(?:ready|healthy|running|available)"
    r"|unready|unhealthy|unavailable"
)
_WORKLOAD = r"(?:deployment|stateful ?set|daemon ?set|replica ?set|workload)"
_WORDS_OF: tuple[tuple[Claim, str], ...] = (
    ("namespace", rf"\bnamespace{_BETWEEN} terminating"),
    ("node", rf"\bnode{_BETWEEN} (?:{_NOT_READY}|unreachable|(?:under )?(?:memory |disk |pid )?pressure)"),
    ("volume_claim", rf"(?:persistent ?volume ?claim|\bpvc|\bclaim){_BETWEEN} (?:pending|unbound|not bound)"),
    ("job", rf"\b(?:cron ?)?job{_BETWEEN} (?:failed|failing|not completed?|incomplete)"),
    ("replicas", rf"{_WORKLOAD} (?:replicas? (?:mismatch|missing|unavailable)|generation mismatch)"),
    ("replicas", rf"{_WORKLOAD} (?:missing|unavailable) replicas|{_WORKLOAD}{_BETWEEN} (?:{_NOT_READY})"),
    ("replicas", rf"{_WORKLOAD} (?:rollout|update) (?:is )?(?:stuck|not|failed)"),
    ("pods", r"crash ?loop|\bimage ?pull|\berr ?image|create container (?:config )?error"),
    ("pods", rf"\bcontainer{_BETWEEN} (?:waiting|{_NOT_READY})|\bpod{_BETWEEN} (?:pending|{_NOT_READY})"),
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
# what is wrong with a Service, or with what is before it, shows in these
_REACH = re.compile(
    r"unreachable|unavailab|availability|\bdown\b|end ?points?\b|traffic|\bhttp|\bgrpc|[45]xx|\b5\d\d\b"
    r"|\berrors?\b|\brequests?\b|\bslo\b|\bburn|latenc|time ?outs?\b|success|refused|\bprobe|blackbox"
    r"|ingress|upstream|back ?ends?\b|gateway|\bnot respond|no response|response|unready|unhealthy|not ready"
    r"|\bcan ?not (connect|reach)|connectivity|network ?polic"
)
_SCALING = re.compile(r"\bscal|autoscal|\bhpa\b|\breplicas?\b")
_ELSEWHERE = frozenset(
    {
        "the data of its own rule", "certificates", "quotas", "volumes and disks", "lag and queues", "memory",
        "processors", "restarts over a longer time", "backups",
    }
)  # fmt: skip
_OF_CLAIM: dict[Claim, frozenset[str]] = {"volume_claim": frozenset({"volumes and disks"})}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[-_/.:,;()\s]+")
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


def concerns_reach(alert: Alert) -> bool:
    """Whether an alert is about a workload that isn't well, or that nobody reaches.

    The name decides where it speaks of that or of something else, else summary and description. Where both
    are spoken of (the errors of a disk), or neither, it isn't taken for that.
    """
    if find_claim(alert) in {"pods", "replicas"}:
        return True
    for text in (_spell(alert.name), *(_spell_text(alert, key) for key in ("summary", "description"))):
        reach, other = bool(_REACH.search(text)), bool(_ELSEWHERE & set(_list_measures(text)))
        if reach or other:
            return reach and not other
    return False


def concerns_scaling(alert: Alert) -> bool:
    """Whether an alert is about how many replicas there are, or what makes an autoscaler want more."""
    name = _spell(alert.name)
    return bool(_SCALING.search(name)) or "processors" in _list_measures(name)


def _list_measures(text: str) -> list[str]:
    return [what for what, pattern in _MEASURES if pattern.search(text)]


def _spell(text: str) -> str:
    return " ".join(_WORDS.sub(" ", text).lower().split())


def _spell_summary(alert: Alert) -> str:
    return _spell_text(alert, "summary")


def _spell_text(alert: Alert, annotation: str) -> str:
    """Return an annotation's words without the names that its template filled in."""
    text = alert.annotations.get(annotation, "")
    for value in sorted(alert.labels.values(), key=len, reverse=True):
        if len(value) >= _SHORTEST and value != alert.name:
            text = text.replace(value, " ")
    return _spell(text)
