"""What mendgate's two credentials need, and what they had better not hold: one table, said once.

The roles of docs/credentials.md grant exactly this; a test holds both to each other.
"""

from collections.abc import Iterable, Mapping, Sequence

from tools.errors import PermissionDenied
from tools.kubernetes.access_review import Right, granted
from tools.kubernetes.client import Cluster

WORKLOADS = ("deployments", "statefulsets", "daemonsets")
PROTECTED = "kube-system"
# each namespace costs a request per right
FEW_NAMESPACES, MANY_NAMESPACES = 20, 100


def _rights(verbs: str, *resources: str) -> tuple[Right, ...]:
    return tuple(Right(verb, resource) for resource in resources for verb in verbs.split())


# Without these the runbooks, the proposals or the verification fail.
NEEDED = (
    *_rights("get list", "pods", *WORKLOADS),
    *_rights("list", "replicasets", "events", "services"),
    *_rights("get", "pods/log", "endpoints"),
)
# With these a diagnosis sees more.
USEFUL = (
    *_rights("get list", "replicasets", "services", "endpointslices", "configmaps", "jobs", "cronjobs"),
    *_rights("get list", "horizontalpodautoscalers", "ingresses", "networkpolicies", "poddisruptionbudgets"),
    *_rights("get list", "namespaces", "nodes", "persistentvolumeclaims", "resourcequotas", "limitranges"),
    *_rights("list", "controllerrevisions", "endpoints"),
)
PATCHES = _rights("patch", *WORKLOADS)
LOOKS = _rights("get", *WORKLOADS)
_ESCAPES = (
    *_rights("get list", "secrets"),
    *_rights("create get", "pods/exec"),  # exec over a websocket is a `get`
    *_rights("create", "serviceaccounts/token"),
    *_rights("create patch", "roles", "rolebindings", "clusterroles", "clusterrolebindings"),
)
WRITES = (*_rights("patch update create delete", *WORKLOADS, "pods"), *_ESCAPES)
EXCESS = (*_rights("create delete", *WORKLOADS, "pods"), *_ESCAPES)
# What gives away a role that is too strong, where it is bound in one namespace alone.
_TELLING = frozenset({
    *PATCHES, *_rights("create delete", "pods"), *_rights("delete", "deployments"),
    *_rights("create", "pods/exec", "rolebindings"), *_rights("get", "secrets"),
})  # fmt: skip


async def namespaces_of(cluster: Cluster, most: int) -> Sequence[str]:
    """Return the namespaces that a credential sees; `default` alone if it may not list them."""
    try:
        found = await cluster.list("namespaces", None)
    except PermissionDenied:
        return ("default",)
    return sorted(str(one["metadata"]["name"]) for one in found)[:most]


async def find_held(
    cluster: Cluster, rights: Iterable[Right], namespaces: Iterable[str]
) -> Mapping[Right, Sequence[str]]:
    """Return the rights that are held anywhere, and in which namespaces; none are named if in all of them."""
    wanted, places = tuple(rights), tuple(namespaces)
    held: dict[Right, list[str]] = {right: [] for right in await granted(cluster, wanted)}
    left = [
        Right(right.verb, right.resource, place) for right in wanted if right not in held for place in places
    ]
    for one in await granted(cluster, left):
        held.setdefault(Right(one.verb, one.resource), []).append(str(one.namespace))
    return held


async def find_excess(cluster: Cluster, rights: Iterable[Right]) -> Mapping[Right, Sequence[str]]:
    """Return which of these rights are held: all are asked for everywhere, the telling ones in namespaces."""
    wanted = tuple(rights)
    everywhere = await find_held(cluster, wanted, ())
    telling = [right for right in wanted if right in _TELLING and right not in everywhere]
    return {**everywhere, **await find_held(cluster, telling, await namespaces_of(cluster, FEW_NAMESPACES))}
