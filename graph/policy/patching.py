"""What may be changed at all, whoever proposes it; a person's approval doesn't override it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from graph.policy.conditions import matches_any
from graph.policy.document import Policy
from graph.policy.fields import covers
from graph.policy.floor import (
    PROTECTED_NAMESPACES,
    WORKLOAD_KINDS,
    WorkloadKind,
    is_openable,
    is_service_field,
)
from graph.proposal import canonical_json
from tools.diffing import FieldChange
from tools.errors import UnknownKind
from tools.kinds import find_kind
from tools.patch import APPROVAL_ANNOTATION, APPROVAL_PATH, PatchArguments

_GITOPS_KEYS = re.compile(
    r"^(argocd\.argoproj\.io/|kustomize\.toolkit\.fluxcd\.io/|helm\.toolkit\.fluxcd\.io/|fluxcd\.io/)"
)
_MOST_CHARACTERS = 50_000
# the API server counts a DaemonSet's templates there by itself, whatever a patch says of it
_COUNTED_BY_SERVER = ("DaemonSet", 'metadata.annotations["deprecated.daemonset.template.generation"]')
_PORTS = re.compile(r"spec\.ports(\[[^\]]+\]\.targetPort)?")
_FIXED_TAG = re.compile(r"^[^@]+:(?!latest$)[^:/]+$|@sha256:[0-9a-f]{64}$")


def refuse_call(call: PatchArguments, policy: Policy) -> str | None:
    """Return why a patch may not even be previewed, or None."""
    if matches_any((*PROTECTED_NAMESPACES, *policy.protected_namespaces), call.namespace):
        return f"namespace {call.namespace} is protected"
    kind = workload_kind(call.resource_type)
    if kind is None or not policy.patch.get(kind):
        open_ones = ", ".join(one for one in WORKLOAD_KINDS if policy.patch.get(one)) or "nothing"
        return f"a {call.resource_type} may not be changed, only {open_ones}"
    if len(canonical_json(call.patch_data)) > _MOST_CHARACTERS:
        return f"the patch has more than {_MOST_CHARACTERS} characters: nobody could tell what it does"
    return _refuse_identity(call)


def refuse_change(
    kind: str, before: Mapping[str, Any], diff: Iterable[FieldChange], policy: Policy
) -> str | None:
    """Return why what the dry-run shows may not be done to this object, or None."""
    fields = policy.patch.get(kind, ()) if kind in WORKLOAD_KINDS else ()
    refuse = _refuse_in_service if kind == "Service" else _refuse_field
    ours = (one for one in diff if one.path != APPROVAL_PATH and (kind, one.path) != _COUNTED_BY_SERVER)
    refusals = (refuse(change, fields) for change in ours)
    return refuse_object(before) or next((refusal for refusal in refusals if refusal), None)


def refuse_object(document: Mapping[str, Any]) -> str | None:
    """Return why an object may not be changed as it stands, or None: somebody else would change it back."""
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
    """Return which patchable kind a name of a resource type stands for, or None."""
    try:
        kind = find_kind(resource_type).kind
    except UnknownKind:
        return None
    return next((one for one in WORKLOAD_KINDS if one == kind), None)


def _refuse_identity(call: PatchArguments) -> str | None:
    """Refuse a patch that names another object than its target: an API server passes over some of that."""
    if isinstance(call.patch_data, list):
        return None
    kind, metadata = find_kind(call.resource_type), call.patch_data.get("metadata")
    own = {"kind": kind.kind, "apiVersion": kind.api_version, "name": call.name, "namespace": call.namespace}
    named = {**call.patch_data, **(metadata if isinstance(metadata, dict) else {})}
    other = next((field for field in own if named.get(field, own[field]) != own[field]), None)
    return f"the patch has a {other} of its own, {str(named[other])[:80]!r}: leave it out" if other else None


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


def _refuse_field(change: FieldChange, fields: Iterable[str]) -> str | None:
    path = change.path
    opened = is_openable(path) and not is_service_field(path) and any(covers(field, path) for field in fields)
    if not opened or APPROVAL_ANNOTATION in path:
        return f"{path} isn't among the fields that may be changed"
    if path.endswith(".image") and not _FIXED_TAG.search(str(change.after)):
        return f"{change.after} is a floating tag: name a version"
    if change.removed and re.search(r"Probe$|\.resources(\.limits(\..*)?)?$", path):
        return f"removing {path} would only hide the symptom"
    if path == "spec.replicas" and not change.after:
        return "scaling to zero would only hide the symptom"
    if path.endswith(".tolerations") and any(not one.get("key") for one in change.after or []):
        return "a toleration without a key puts up with every taint, a broken node's too: name the taint"
    return None
