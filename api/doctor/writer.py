"""`mendgate doctor` on the writer's credential: it may patch workloads, in the same cluster."""

import asyncio
from collections.abc import Sequence

from api.config.settings import Settings
from api.doctor.check import Check, bounded, failed, listed, ok, skipped, warning
from api.doctor.permissions import (
    EXCESS,
    LOOKS,
    MANY_NAMESPACES,
    PATCHES,
    PROTECTED,
    WORKLOADS,
    find_excess,
    find_held,
    namespaces_of,
)
from api.doctor.reader import describe_cluster, describe_held
from tools.errors import ClusterError, MendgateError
from tools.kubernetes.access_review import Right, granted
from tools.kubernetes.client import Cluster

WRITER, SAME = "writer: cluster", "writer: same cluster"
PATCHES_WORKLOADS, NOTHING_MORE = "writer: may patch", "writer: nothing more"
_FIX_CLUSTER = "Set MENDGATE_WRITE_KUBECONFIG to a kubeconfig that `kubectl version` works with."
_FIX_SAME = "Make both kubeconfigs for one cluster: what is diagnosed must be what is changed."
_FIX_PATCHES = (
    "Bind the ClusterRole mendgate-patch of docs/credentials.md in each namespace that mendgate may change."
)
_FIX_EXCESS = "Give it the two ClusterRoles of docs/credentials.md and nothing else."
_FIX_ASKING = "Let this credential create selfsubjectaccessreviews, as every cluster does by default."
_WITNESSES = ("kube-system", "default")


async def check_writer(settings: Settings) -> Sequence[Check]:
    """Return the checks of the credential that executes."""
    if settings.write_kubeconfig is None:
        return [
            warning(
                WRITER,
                "MENDGATE_WRITE_KUBECONFIG isn't set: nothing can be changed, proposals are handed over",
                "Make a writer's kubeconfig by docs/credentials.md, and set it here, to allow changes.",
            )
        ]
    reached = await bounded(WRITER, _reach(settings), _FIX_CLUSTER)
    if reached.status == "failed":
        why = "the writer's cluster didn't answer"
        return [reached, *(skipped(name, why) for name in (SAME, PATCHES_WORKLOADS, NOTHING_MORE))]
    rest = (
        bounded(SAME, _compare(settings), _FIX_SAME),
        bounded(PATCHES_WORKLOADS, _check_patches(settings), _FIX_ASKING),
        bounded(NOTHING_MORE, _check_excess(settings), _FIX_ASKING),
    )
    return [reached, *await asyncio.gather(*rest)]


async def _reach(settings: Settings) -> Check:
    async with Cluster.from_kubeconfig(settings.write_kubeconfig) as cluster:
        return await describe_cluster(WRITER, cluster)


async def _compare(settings: Settings) -> Check:
    """Return whether both see the same cluster: by the uid of a namespace, else by the server's URL."""
    try:
        reader = Cluster.from_kubeconfig(settings.kubeconfig)
    except MendgateError:
        return skipped(SAME, "the reader's kubeconfig can't be used")
    async with reader, Cluster.from_kubeconfig(settings.write_kubeconfig) as writer:
        for name in _WITNESSES:
            seen, other = await asyncio.gather(_uid(reader, name), _uid(writer, name))
            if seen and other:
                if seen == other:
                    return ok(SAME, f"both see the same namespace {name}")
                return failed(SAME, f"{reader.server} and {writer.server} are two clusters", _FIX_SAME)
        if reader.server == writer.server:
            return ok(SAME, f"both talk to {reader.server}")
        text = f"can't be told: {reader.server} and {writer.server}, and no namespace that both may get"
        return warning(SAME, text, _FIX_SAME)


async def _uid(cluster: Cluster, namespace: str) -> str:
    try:
        return str((await cluster.get("namespace", namespace, None))["metadata"]["uid"])
    except ClusterError:  # may not look, or there is none: another witness is asked
        return ""


async def _check_patches(settings: Settings) -> Check:
    async with Cluster.from_kubeconfig(settings.write_kubeconfig) as cluster:
        namespaces = await namespaces_of(cluster, MANY_NAMESPACES)
        patches = await find_held(cluster, PATCHES, namespaces)
        bound = sorted({namespace for where in patches.values() for namespace in where})
        held = {**patches, **await find_held(cluster, LOOKS, bound)}
    places = [set(where) for where in held.values() if where]
    shared = sorted(set.intersection(*places)) if places else ["all namespaces"]
    lacking = [right for right in (*PATCHES, *LOOKS) if right not in held]
    if shared and not lacking:
        return ok(PATCHES_WORKLOADS, f"{', '.join(WORKLOADS)}, in {listed(shared)}")
    if patches:
        missing = f"; nowhere may it {listed(lacking)}" if lacking else ""
        return warning(PATCHES_WORKLOADS, f"only {describe_held(held)}{missing}", _FIX_PATCHES)
    if len(namespaces) == MANY_NAMESPACES:
        text = f"no workload in the first {MANY_NAMESPACES} namespaces; the others weren't tried"
        return warning(PATCHES_WORKLOADS, text, _FIX_PATCHES)
    text = f"no workload, be it in {listed(namespaces)} or everywhere"
    return failed(PATCHES_WORKLOADS, text, _FIX_PATCHES)


async def _check_excess(settings: Settings) -> Check:
    protected = [Right("patch", resource, PROTECTED) for resource in WORKLOADS]
    async with Cluster.from_kubeconfig(settings.write_kubeconfig) as cluster:
        held = await find_excess(cluster, EXCESS)
        into_protected = await granted(cluster, protected)
    held = {**held, **dict.fromkeys(into_protected, (PROTECTED,))}
    if held:
        return warning(NOTHING_MORE, f"it may also {describe_held(held)}", _FIX_EXCESS)
    return ok(NOTHING_MORE, "no deleting, no creating, no Secrets, no roles, nothing in kube-system")
