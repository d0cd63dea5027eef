"""What may be read, and what may be changed at all, whoever proposes it. Whatever isn't known is refused.

This is the built-in policy; a person's approval doesn't override it. Its version is part of every digest.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tools.diffing import FieldChange
from tools.patch import APPROVAL_PATH, PatchArguments

VERSION = "builtin-1"
READ_ONLY_TOOLS = frozenset({"kubectl_get", "kubectl_describe", "kubectl_logs", "kubectl_rollout"})
PROTECTED_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
PATCHABLE_KINDS = frozenset({"deployment", "statefulset", "daemonset"})
_GITOPS_KEYS = re.compile(
    r"^(argocd\.argoproj\.io/|kustomize\.toolkit\.fluxcd\.io/|helm\.toolkit\.fluxcd\.io/|fluxcd\.io/)"
)
_CONTAINER = r"^spec\.template\.spec\.(initContainers|containers)\[[^\]]+\]\."
_ALLOWED_FIELDS = re.compile(
    _CONTAINER + r"(image|command|args|env|ports|resources|(liveness|readiness|startup)Probe)([.\[].*)?$"
    r"|^spec\.replicas$"
)
_FIXED_TAG = re.compile(r"^[^@]+:(?!latest$)[^:/]+$|@sha256:[0-9a-f]{64}$")


def refuse_tool(tool: str) -> str | None:
    """Return why a tool may not be called by the diagnosis, or None. Unknown tools count as mutating."""
    if tool in READ_ONLY_TOOLS:
        return None
    return f"{tool} isn't on the list of read-only tools, so the diagnosis may not call it"


def refuse_call(call: PatchArguments) -> str | None:
    """Return why a patch may not even be previewed, or None."""
    if call.namespace in PROTECTED_NAMESPACES:
        return f"namespace {call.namespace} is protected"
    if call.resource_type.lower() not in PATCHABLE_KINDS:
        return f"a {call.resource_type} may not be changed, only {', '.join(sorted(PATCHABLE_KINDS))}"
    return None


def refuse_change(before: Mapping[str, Any], diff: Iterable[FieldChange]) -> str | None:
    """Return why what the dry-run shows may not be done to this object, or None."""
    refusals = (_refuse_field(change) for change in diff if change.path != APPROVAL_PATH)
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


def _refuse_field(change: FieldChange) -> str | None:
    path = change.path
    if not _ALLOWED_FIELDS.match(path):
        return f"{path} isn't among the fields that may be changed"
    if path.endswith(".image") and not _FIXED_TAG.search(str(change.after)):
        return f"{change.after} is a floating tag: name a version"
    if change.removed and re.search(r"Probe$|\.resources(\.limits(\..*)?)?$", path):
        return f"removing {path} would only hide the symptom"
    if path == "spec.replicas" and not change.after:
        return "scaling to zero would only hide the symptom"
    return None
