"""`mendgate doctor` on the reader's credential: it can read what a diagnosis needs, and can't write."""

import asyncio
import re
from collections.abc import Mapping, Sequence

from api.config.settings import Settings
from api.doctor.check import Check, bounded, failed, listed, ok, skipped, warning
from api.doctor.permissions import (
    FEW_NAMESPACES,
    NEEDED,
    USEFUL,
    WRITES,
    find_excess,
    find_held,
    namespaces_of,
)
from tools.errors import PermissionDenied
from tools.kubernetes.access_review import Right, granted
from tools.kubernetes.client import Cluster

CLUSTER, READS, WRITES_NOTHING = "reader: cluster", "reader: may read", "reader: can't write"
_FIX_CLUSTER = "Set KUBECONFIG to a kubeconfig that `kubectl version` works with."
_FIX_READS = "Bind the ClusterRole mendgate-read of docs/credentials.md to this credential."
_FIX_WRITES = "Give it the ClusterRole mendgate-read of docs/credentials.md, and no other role."
_FIX_ASKING = "Let this credential create selfsubjectaccessreviews, as every cluster does by default."
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_OLDEST = (1, 27)


async def check_reader(settings: Settings) -> Sequence[Check]:
    """Return the checks of the credential that diagnoses."""
    reached = await bounded(CLUSTER, _reach(settings), _FIX_CLUSTER)
    if reached.status == "failed":
        why = "the reader's cluster didn't answer"
        return [reached, skipped(READS, why), skipped(WRITES_NOTHING, why)]
    rights = (
        bounded(READS, _check_reads(settings), _FIX_ASKING),
        bounded(WRITES_NOTHING, _check_writes(settings), _FIX_ASKING),
    )
    return [reached, *await asyncio.gather(*rights)]


async def describe_cluster(name: str, cluster: Cluster, oldest: tuple[int, int] = (0, 0)) -> Check:
    """Return which cluster it is, and whether it is at least of this version."""
    try:
        version = str((await cluster.version()).get("gitVersion"))
    except PermissionDenied as error:
        return failed(name, str(error), "Renew the credential: docs/credentials.md says how.")
    place = f"{cluster.server} (context {cluster.context})"
    if "sandbox" in version:
        return ok(name, f"the sandbox cluster, at {place}")
    match = _VERSION.match(version)
    if match is None or (int(match[1]), int(match[2])) < oldest:
        return warning(
            name,
            f"Kubernetes {version} at {place}: before 1.27 a misspelled field in a patch goes unnoticed",
            "Update the cluster to Kubernetes 1.27 or later.",
        )
    return ok(name, f"Kubernetes {version} at {place}")


def describe_held(held: Mapping[Right, Sequence[str]]) -> str:
    """Return rights with where they are held, those of one place and of the same verbs together."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right, where in held.items():
        verbs.setdefault((listed(where, 3) or "all namespaces", right.resource), []).append(right.verb)
    alike: dict[tuple[str, str], list[str]] = {}
    for (place, resource), some in verbs.items():
        alike.setdefault((place, "/".join(some)), []).append(resource)
    return "; ".join(f"{some} {', '.join(names)} in {place}" for (place, some), names in alike.items())


async def _reach(settings: Settings) -> Check:
    async with Cluster.from_kubeconfig(settings.kubeconfig) as cluster:
        return await describe_cluster(CLUSTER, cluster, _OLDEST)


async def _check_reads(settings: Settings) -> Check:
    async with Cluster.from_kubeconfig(settings.kubeconfig) as cluster:
        held = set(await granted(cluster, {*NEEDED, *USEFUL}))
        lacking = [right for right in NEEDED if right not in held]
        if lacking:
            return await _judge_lacking(cluster, lacking)
    unseen = [right for right in USEFUL if right not in held]
    if unseen:
        return warning(READS, f"what is needed; but it may not {listed(unseen)}", _FIX_READS)
    return ok(READS, "pods, their logs and events, workloads, services and endpoints, in all namespaces")


async def _judge_lacking(cluster: Cluster, lacking: Sequence[Right]) -> Check:
    """Return whether what isn't allowed in all namespaces is allowed in some."""
    found = await find_held(cluster, lacking, await namespaces_of(cluster, FEW_NAMESPACES))
    everywhere = [set(found.get(right, ())) for right in lacking]
    shared = sorted(set.intersection(*everywhere))
    if shared:
        text = f"what is needed, but only in {listed(shared)}: alerts from elsewhere are handed over"
        return warning(READS, text, _FIX_READS)
    return failed(READS, f"it may not {listed(lacking)}", _FIX_READS)


async def _check_writes(settings: Settings) -> Check:
    if settings.reader_url and settings.kubeconfig == settings.write_kubeconfig:
        text = f"it is the writer's, for this process's own looks; tools read at {settings.reader_url}"
        return ok(WRITES_NOTHING, f"{text}, where a credential that can write is refused")
    async with Cluster.from_kubeconfig(settings.kubeconfig) as cluster:
        held = await find_excess(cluster, WRITES)
    if held:
        return failed(WRITES_NOTHING, f"it may {describe_held(held)}", _FIX_WRITES)
    return ok(WRITES_NOTHING, "it can change nothing, start nothing in a pod, and read no Secrets")
