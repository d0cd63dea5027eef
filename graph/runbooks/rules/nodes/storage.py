"""A pod waits for its volume: a claim that doesn't exist, isn't bound, or is held elsewhere.

Claims hold data and can't be changed once made: all is left to a person, with the commands.
"""

import re
from collections.abc import Iterator

from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, unique
from graph.runbooks.objects.neighbours import Claim
from graph.runbooks.objects.similar_names import find_nearest
from graph.runbooks.repairs.examples import list_names

_ABSENT = re.compile(r'persistentvolumeclaim "(?P<name>[a-z0-9][-a-z0-9.]{0,252})" (?:is )?not found')
_UNBOUND = re.compile(
    r"unbound immediate PersistentVolumeClaims|volume binding|claim is not bound", re.IGNORECASE
)
_ATTACH = re.compile(
    r"Multi-Attach error|AttachVolume\.\w+ failed|MountVolume\.\w+ failed|Unable to attach or mount"
)
_HELD = re.compile(r"Multi-Attach error")
# the kubelet says so about every volume that it waits for; its reason is in a message of its own
_TIMED_OUT = re.compile(r"timed out waiting for the condition|context deadline exceeded")
# ConfigMaps and Secrets are another runbook's; a kubelet that still fills its cache soon has them
_CONFIGURATION = re.compile(r'(?:configmap|secret) "|references non-existent|failed to sync')


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if one of the newest pods waits for a volume, or None."""
    complaints = list(_complaints(snapshot))
    explained = any(_CONFIGURATION.search(said.value) for said in complaints)
    for said in complaints:
        if explained and _TIMED_OUT.search(said.value):
            continue
        if match := _ABSENT.search(said.value):
            if _is_wanted(snapshot, match["name"]) and not _claim(snapshot, match["name"]):
                return _absent(snapshot, match["name"], said)
        elif _UNBOUND.search(said.value):
            return _unbound(snapshot, said)
        elif _ATTACH.search(said.value) and not _CONFIGURATION.search(said.value):
            return _unattached(snapshot, said)
    return None


def _complaints(snapshot: Snapshot) -> Iterator[Sourced[str]]:
    for pod in snapshot.newest_pods:
        if pod.unschedulable is not None:
            yield Sourced(snapshot.pods.evidence, pod.unschedulable)
    for event in snapshot.events_of(snapshot.unmade_pods, "FailedMount", "FailedAttachVolume"):
        yield Sourced(event.evidence, event.value.message)


def _is_wanted(snapshot: Snapshot, name: str) -> bool:
    claims = [each.persistent_volume_claim for each in snapshot.template.volumes]
    return snapshot.workload.value.kind == "StatefulSet" or any(
        claim and claim.claim_name == name for claim in claims
    )


def _claim(snapshot: Snapshot, name: str) -> Claim | None:
    claims = snapshot.claims.value if snapshot.claims else ()
    return next((each for each in claims if each.metadata.name == name), None)


def _absent(snapshot: Snapshot, name: str, said: Sourced[str]) -> Finding:
    workload = snapshot.workload.value
    namespace = workload.metadata.namespace
    known = [each.metadata.name for each in snapshot.claims.value] if snapshot.claims else []
    meant = _earlier(snapshot, name) or find_nearest(name, known, list_names(snapshot))
    hint = (
        f" It may mean {meant}, which exists; make sure that nothing else writes to it first."
        if meant
        else ""
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its pods wait for PersistentVolumeClaim {name}, which doesn't exist",
        cause=f'The scheduler or the kubelet said: "{quote(said.value)}".',
        confidence="high",
        evidence=_sources(snapshot, said),
        options=(),
        advice=(
            (
                f"Make the claim, or correct claimName: kubectl get pvc -n {namespace}; kubectl edit"
                f" {workload.kind.lower()} {workload.metadata.name} -n {namespace}.{hint}"
            ),
        ),
        prevention=("Deploy a claim together with the workload that mounts it.",),
    )


def _earlier(snapshot: Snapshot, name: str) -> str | None:
    """Return the claim that an older revision mounted as the same volume, if it exists."""
    volumes = {
        each.name
        for each in snapshot.template.volumes
        if each.persistent_volume_claim and each.persistent_volume_claim.claim_name == name
    }
    for past in list_past(snapshot):
        then = [each for each in past.revision.pod_spec.volumes if each.name in volumes]
        for claim in (each.persistent_volume_claim for each in then):
            if claim and claim.claim_name != name and _claim(snapshot, claim.claim_name):
                return claim.claim_name
    return None


def _unbound(snapshot: Snapshot, said: Sourced[str]) -> Finding:
    workload = snapshot.workload.value
    pending = [
        each for each in (snapshot.claims.value if snapshot.claims else ()) if _concerns(snapshot, each)
    ]
    described = [_describe(snapshot, each) for each in pending if each.status.phase != "Bound"]
    why = " and ".join(text for text, _ in described) or "a PersistentVolumeClaim isn't bound"
    return Finding(
        subject=workload.target,
        fault=f"{workload}: its pods wait for storage: {why}",
        cause=f'The scheduler said: "{quote(said.value)}". {why[0].upper()}{why[1:]}.',
        confidence="high",
        evidence=_sources(snapshot, said),
        options=(),
        advice=tuple(advice for _, advice in described)
        or (f"See why: kubectl describe pvc -n {workload.metadata.namespace}",),
        prevention=("Check in CI that every storageClassName exists in the cluster.",),
    )


def _concerns(snapshot: Snapshot, claim: Claim) -> bool:
    """Whether one of the newest pods mounts the claim; a StatefulSet names its own after its pods."""
    name = claim.metadata.name
    mounted = {
        each.persistent_volume_claim.claim_name
        for pod in snapshot.newest_pods
        for each in pod.spec.volumes
        if each.persistent_volume_claim
    }
    return name in mounted


def _describe(snapshot: Snapshot, claim: Claim) -> tuple[str, str]:
    """Return why a claim isn't bound, and what to do about it."""
    name, wanted = claim.metadata.name, claim.spec.storage_class_name
    namespace = snapshot.workload.value.metadata.namespace
    describe = f"kubectl describe pvc {name} -n {namespace}"
    known = (
        [each.metadata.name for each in snapshot.storage_classes.value] if snapshot.storage_classes else None
    )
    if wanted and known is not None and wanted not in known:
        meant = find_nearest(wanted, known)
        hint = f"it probably means {meant}" if meant else f"there are: {', '.join(known[:10]) or 'none'}"
        return f"claim {name} wants StorageClass {quote(wanted)}, which doesn't exist ({hint})", (
            "A claim's class can't be changed: save its manifest, and if it holds no data yet, delete"
            " it and make"
            f" it again with the right storageClassName (kubectl delete pvc {name} -n {namespace}; for a"
            " StatefulSet correct its volumeClaimTemplates first, which means making it again, too)."
        )
    if not wanted and known == []:
        return f"claim {name} names no StorageClass, and the cluster has none", (
            f"Have a PersistentVolume or a default StorageClass made for it ({describe})."
        )
    return f"claim {name} isn't bound", f"Read what its provisioner says: {describe}"


def _unattached(snapshot: Snapshot, said: Sourced[str]) -> Finding:
    workload = snapshot.workload.value
    held = bool(_HELD.search(said.value))
    advice = (
        "The volume is still attached for another pod, and may be used by one node at a time. Find that pod"
        f" (kubectl get pods -n {workload.metadata.namespace} -o wide): let it end, and where its"
        " node is dead"
        " take the node out of service. A Deployment with such a volume needs strategy Recreate and"
        " one replica."
        if held
        else "See what the volume's driver says: kubectl get volumeattachments; kubectl describe pods"
        f" -n {workload.metadata.namespace}"
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: a volume of its pods can't be {'attached twice' if held else 'mounted'}",
        cause=f'The message was: "{quote(said.value)}".',
        confidence="high" if held else "medium",
        evidence=_sources(snapshot, said),
        options=(),
        advice=(advice,),
        prevention=("Use strategy Recreate where a volume can be attached to one node only.",),
    )


def _sources(snapshot: Snapshot, said: Sourced[str]) -> tuple[str, ...]:
    read = (snapshot.claims, snapshot.storage_classes)
    return unique((snapshot.workload.evidence, said.evidence, *(each.evidence for each in read if each)))
