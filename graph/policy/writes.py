"""What may be changed at all, for every proposal; a person's approval doesn't override it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graph.domain.proposal import canonical_json
from graph.policy.conditions import matches_any
from graph.policy.document import BUILT_IN, Policy
from graph.policy.effects import list_effects, view_both
from graph.policy.fields.leaves import WORKLOAD_KINDS, WorkloadKind, holds_leaves, is_leaf, is_service_field
from graph.policy.fields.paths import covers
from graph.policy.fields.secret_names import NO_SECRETS, SecretNames, named_anew, secrets_of
from graph.policy.hard_limits import CLOSED_NAMESPACES, PLATFORM_NAMESPACES
from graph.policy.symptoms import refuse_symptoms
from tools.errors import UnknownKind
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_ANNOTATION, APPROVAL_PATH, PatchArguments
from tools.kubernetes.resource_types import find_kind
from tools.registry.image_reference import refuse_image

_GITOPS_KEYS = re.compile(
    r"^(argocd\.argoproj\.io/|kustomize\.toolkit\.fluxcd\.io/|helm\.toolkit\.fluxcd\.io/|fluxcd\.io/)"
)
_MOST_CHARACTERS = 50_000
_OPEN_NAMESPACE = "default"
# the API server counts a DaemonSet's templates there by itself, whatever a patch says of it
_COUNTED_BY_SERVER = ("DaemonSet", 'metadata.annotations["deprecated.daemonset.template.generation"]')
_PORTS = re.compile(r"spec\.ports(\[[^\]]+\]\.targetPort)?")
# of an object's metadata a patch may speak of these; the dry-run shows what it would make of them
_METADATA = frozenset({"name", "namespace", "labels", "annotations"})
_CLOSED = (
    (re.compile(r"\.host(Port|IP)(?=$|\.)"), "it would open a port of the node itself"),
    (
        re.compile(r"(Probe|\.(postStart|preStop))\.(httpGet|tcpSocket)\.host$"),
        "it would lead the kubelet to another host",
    ),
    (re.compile(r"Probe\.exec(?=$|\.)"), "nobody can tell whether a command of a probe can fail"),
    (re.compile(r"\.httpGet\.httpHeaders(?=$|[.\[])"), "headers may carry credentials, or name another host"),
    (re.compile(r"^metadata\."), "an object's labels, owners and finalizers are its identity"),
)


def refuse_call(call: PatchArguments, policy: Policy) -> str | None:
    """Return why a patch may not even be previewed, or None."""
    if refusal := _refuse_namespace(call.namespace, policy):
        return refusal
    kind = workload_kind(call.resource_type)
    if kind is None or not policy.patch.get(kind):
        open_ones = ", ".join(one for one in WORKLOAD_KINDS if policy.patch.get(one)) or "nothing"
        return f"a {call.resource_type} may not be changed, only {open_ones}"
    if len(canonical_json(call.patch_data)) > _MOST_CHARACTERS:
        return f"the patch has more than {_MOST_CHARACTERS} characters: nobody could tell what it does"
    return _refuse_identity(call)


def refuse_change(
    kind: str,
    before: Mapping[str, Any] | None,
    diff: Iterable[FieldChange],
    policy: Policy,
    secrets: SecretNames = NO_SECRETS,
) -> str | None:
    """Return why what the dry-run shows may not be done to this object, or None.

    `before` None: the object isn't at hand, so that its owners and the Secrets that it names aren't judged.
    `secrets` are those that it may name besides its own, because a healthy revision of it did.
    """
    fields = policy.patch.get(kind, ()) if kind in WORKLOAD_KINDS else ()
    ours = [one for one in diff if one.path != APPROVAL_PATH and (kind, one.path) != _COUNTED_BY_SERVER]
    if before is not None and (refusal := refuse_object(before)):
        return refusal
    refusals = (
        (_refuse_in_service(change, fields) for change in ours)
        if kind == "Service"
        else _refuse_in_workload(before, ours, fields, secrets)
    )
    return next((refusal for refusal in refusals if refusal), None)


def refuse_patch(
    call: PatchArguments,
    diff: Iterable[FieldChange],
    policy: Policy,
    *,
    before: Mapping[str, Any] | None = None,
    secrets: SecretNames = NO_SECRETS,
) -> str | None:
    """Return why a patch may not be made, by its own text and by what the dry-run showed, or None.

    This is the whole floor and the policy above it, for whoever holds a proposal: where it is drawn up, where
    it is decided on, and where it is claimed. `diff` is the dry-run's. `before` is the object as it was read;
    None where it isn't at hand: then what only the object can tell (its owners, the Secrets that it names) is
    left to those who read it.
    """
    kind = workload_kind(call.resource_type) or call.resource_type
    return refuse_call(call, policy) or refuse_change(kind, before, diff, policy, secrets)


def is_right(
    call: PatchArguments,
    diff: Iterable[FieldChange],
    *,
    before: Mapping[str, Any] | None = None,
    secrets: SecretNames = NO_SECRETS,
) -> bool:
    """Whether only the object's owner, its namespace or this policy can speak against a patch.

    So it is if the built-in policy would let it be made of an object in an open namespace that nobody owns.
    """
    metadata = {
        **((before or {}).get("metadata") or {}),
        "ownerReferences": [],
        "labels": {},
        "annotations": {},
    }
    unowned = None if before is None else {**before, "metadata": metadata}
    there = call.model_copy(update={"namespace": _OPEN_NAMESPACE, "patch_data": call.change})
    return refuse_patch(there, diff, BUILT_IN, before=unowned, secrets=secrets) is None


def find_unknown_secrets(before: Mapping[str, Any], diff: Iterable[FieldChange]) -> tuple[str, ...]:
    """Return the Secrets that a diff makes an object name, and that it doesn't name yet."""
    return tuple(str(one.after) for one in named_anew(list_effects(diff), secrets_of(before)))


def refuse_object(document: Mapping[str, Any]) -> str | None:
    """Return why an object may not be changed in its current state, or None."""
    if owner := find_gitops_owner(document):
        return f"the object is managed by GitOps ({owner}): a live patch would be reverted"
    for reference in document.get("metadata", {}).get("ownerReferences") or []:
        if reference.get("controller"):
            return f"the object is controlled by {reference['kind']}/{reference['name']}: change that instead"
    return None


def find_gitops_owner(document: Mapping[str, Any]) -> str | None:
    """Return the label or annotation by which Argo CD or Flux mark the object as theirs, or None."""
    metadata = document.get("metadata", {})
    keys = [*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})]
    return next((key for key in keys if _GITOPS_KEYS.match(key)), None)


def workload_kind(resource_type: str) -> WorkloadKind | None:
    """Return which patchable kind a name of a resource type means, or None."""
    try:
        kind = find_kind(resource_type).kind
    except UnknownKind:
        return None
    return next((one for one in WORKLOAD_KINDS if one == kind), None)


def _refuse_namespace(namespace: str, policy: Policy) -> str | None:
    if matches_any((*CLOSED_NAMESPACES, *policy.protected_namespaces), namespace):
        return f"namespace {namespace} is protected"
    if matches_any(PLATFORM_NAMESPACES, namespace) and not matches_any(policy.open_namespaces, namespace):
        return f"namespace {namespace} is protected as the platform's: the policy's open_namespaces opens it"
    return None


def _refuse_identity(call: PatchArguments) -> str | None:
    """Refuse a patch that names another object than its target: an API server passes over some of that."""
    if isinstance(call.patch_data, list):
        return next((why for one in call.patch_data if (why := _refuse_pointer(one))), None)
    kind, metadata = find_kind(call.resource_type), call.patch_data.get("metadata")
    own = {"kind": kind.kind, "apiVersion": kind.api_version, "name": call.name, "namespace": call.namespace}
    named = {**call.patch_data, **(metadata if isinstance(metadata, dict) else {})}
    other = next((field for field in own if named.get(field, own[field]) != own[field]), None)
    if other:
        return f"the patch has a {other} of its own, {str(named[other])[:80]!r}: leave it out"
    closed = sorted(map(str, metadata.keys() - _METADATA)) if isinstance(metadata, dict) else []
    return f"metadata.{closed[0]} is never changed: leave it out" if closed else None


def _refuse_pointer(operation: Mapping[str, Any]) -> str | None:
    """Refuse an operation of a JSON patch on what its diff doesn't show, as metadata.managedFields."""
    for pointer in (operation.get("path"), operation.get("from")):
        parts = str(pointer or "").split("/")[1:]
        if pointer is not None and (not parts or parts == ["metadata"]):
            return f"a patch of {pointer or 'the whole object'!r} replaces more than can be reviewed"
        if parts[:1] == ["metadata"] and parts[1] not in _METADATA:
            return f"metadata.{parts[1][:80]} is never changed: leave it out"
    return None


def _refuse_in_service(change: FieldChange, fields: Iterable[str]) -> str | None:
    path = change.path
    opened = is_service_field(path) and any(covers(field, path) for field in fields)
    opened = opened and APPROVAL_ANNOTATION not in path
    if not opened or (path.startswith("spec.ports") and not _PORTS.fullmatch(path)):
        return f"{path} isn't among the fields of a Service that may be changed"
    if change.removed or not change.after:
        return f"removing {path} would send to pods that the Service doesn't mean"
    if path == "spec.ports" and _but_targets(change.before) != _but_targets(change.after):
        return "of a Service's ports only targetPort may be changed"
    return None


def _but_targets(ports: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in port.items() if key != "targetPort"} for port in ports or []]


def _refuse_in_workload(
    before: Mapping[str, Any] | None,
    diff: Sequence[FieldChange],
    fields: Sequence[str],
    secrets: SecretNames,
) -> Iterator[str | None]:
    effects = list(list_effects(diff))
    yield from (_refuse_outside(change.path, fields) for change in diff)
    yield refuse_symptoms(effects, *view_both(before, diff))
    for change in effects:
        yield _refuse_leaf(change, fields)
        yield _refuse_value(change)
    yield from (_refuse_toleration(change) for change in diff)
    if before is not None:
        yield from (_refuse_secret(one) for one in named_anew(effects, secrets_of(before) | secrets))


def _refuse_outside(path: str, fields: Iterable[str]) -> str | None:
    """Refuse what lies outside of the policy's fields as a whole: an item of a list added, a new order."""
    opened = holds_leaves(path) or is_leaf(path)
    if opened and any(covers(field, path) for field in fields) and APPROVAL_ANNOTATION not in path:
        return None
    return _closed(path)


def _refuse_leaf(change: FieldChange, fields: Iterable[str]) -> str | None:
    """Refuse a leaf that isn't listed, though what is above it may be."""
    empty = change.removed or change.after in ({}, [])
    listed = is_leaf(change.path) or (empty and holds_leaves(change.path))
    if listed and any(covers(field, change.path) for field in fields):
        return None
    return _closed(change.path)


def _closed(path: str) -> str:
    why = next((why for pattern, why in _CLOSED if pattern.search(path)), "")
    return f"{path} isn't among the fields that may be changed" + (f": {why}" if why else "")


def _refuse_value(change: FieldChange) -> str | None:
    if change.path.endswith(".image") and not change.removed:
        return refuse_image(change.after)
    return None


def _refuse_toleration(change: FieldChange) -> str | None:
    items = change.after if isinstance(change.after, list) else []
    if change.path.endswith(".tolerations") and any(not one.get("key") for one in items):
        return "a toleration without a key puts up with every taint, a broken node's too: name the taint"
    return None


def _refuse_secret(change: FieldChange) -> str:
    name = str(change.after)[:80]
    return f"{change.path}: neither the workload nor a healthy revision of it names a Secret {name}"
