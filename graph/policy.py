"""What may be read, and what may be changed at all, whoever proposes it. Whatever isn't known is refused.

This is the built-in policy; a person's approval doesn't override it. Its version is part of every digest.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tools.diffing import FieldChange
from tools.patch import APPROVAL_PATH, PatchArguments
from tools.toolbox import ToolOffer

VERSION = "builtin-1"
_OBJECT = frozenset({"resourceType", "name", "namespace"})
_POD = frozenset({"namespace", "name"})
_SELECTORS = frozenset({"labelSelector", "fieldSelector"})
# What only reads with these arguments: ours, npm's mcp-server-kubernetes', the Go kubernetes-mcp-server's.
READABLE: Mapping[str, frozenset[str]] = {
    "kubectl_get": _OBJECT | _SELECTORS | {"output", "allNamespaces", "sortBy"},
    "kubectl_describe": _OBJECT,
    "kubectl_logs": _OBJECT
    | {"container", "previous", "tail", "since", "sinceTime", "timestamps", "labelSelector"},
    "kubectl_rollout": _OBJECT | {"subCommand", "revision", "toRevision"},
    "explain_resource": frozenset({"resource", "apiVersion", "recursive"}),
    "list_api_resources": frozenset({"apiGroup", "namespaced", "output"}),
    "namespaces_list": frozenset({"fieldSelector"}),
    "events_list": frozenset({"namespace", "fieldSelector"}),
    "pods_list": _SELECTORS,
    "pods_list_in_namespace": _SELECTORS | {"namespace"},
    "pods_get": _POD,
    "pods_log": _POD | {"container", "previous", "tail"},
    "pods_top": _POD | {"all_namespaces", "label_selector"},
    "nodes_top": frozenset({"name", "label_selector"}),
    "resources_get": _POD | {"apiVersion", "kind"},
    "resources_list": _SELECTORS | {"apiVersion", "kind", "namespace"},
}
# They say that they only read. They switch to another cluster, print the kubeconfig, or read a node's files.
_NEVER_READ = frozenset({"kubectl_context", "configuration_view", "configuration_contexts_list", "nodes_log"})
_READING_SUBCOMMANDS = ("history", "status")
_KIND_ARGUMENTS = frozenset({"resourceType", "kind", "resource"})
# Another cluster, another identity, a file of this machine, or a call that doesn't end.
_NEVER = re.compile(
    r".*(context|kube[-_]?config|cluster|impersonat).*|config|server|token|as([-_]?(user|group|uid).*)?|user"
    r"|.*files?|file[-_]?.*|.*path|dir(ectory)?|follow|watch",
    re.IGNORECASE,
)
_SECRETS = re.compile(r"(?<![\w-])secrets?(?![\w-])", re.IGNORECASE)
_ENDLESS = frozenset({"follow", "watch"})
_ONE_KIND = re.compile(r"[A-Za-z][A-Za-z0-9.-]*")
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


def refuse_tool(offer: ToolOffer | None) -> str | None:
    """Return why the diagnosis may not call a tool at all, or None. What isn't known counts as mutating.

    `offer` None: no server has such a tool. A server's word that one only reads counts where it is trusted.
    """
    if offer is None:
        return "there is no such tool"
    listed = offer.name in READABLE
    if offer.name in _NEVER_READ or not (listed or (offer.read_only_hint and offer.trusted)):
        return f"{offer.name} isn't on the list of read-only tools, so the diagnosis may not call it"
    return None


def refuse_read(offer: ToolOffer | None, arguments: Mapping[str, Any]) -> str | None:
    """Return why the diagnosis may not make a call, or None.

    What models write for an argument that they leave open ("", null, `follow: false`) counts as absent.
    """
    refusal = refuse_tool(offer)
    if refusal or offer is None:
        return refusal
    given = {name: value for name, value in arguments.items() if not _is_absent(name, value)}
    refusals = (_refuse_argument(offer, name, value) for name, value in given.items())
    return (
        next((refusal for refusal in refusals if refusal), None)
        or _refuse_secrets(offer, given)
        or _refuse_subcommand(offer, given)
    )


def _refuse_argument(offer: ToolOffer, name: str, value: Any) -> str | None:
    allowed = READABLE.get(offer.name)
    if (allowed is not None and name not in allowed) or _NEVER.fullmatch(name):
        return f"the argument {name} of {offer.name} isn't allowed in the diagnosis"
    if not isinstance(value, str | int | float):
        return f"the argument {name} of {offer.name} must be a plain value"
    if isinstance(value, str) and value.lstrip().startswith("-"):
        return f"the argument {name} begins with a dash: it would be taken for an option"
    if name in _KIND_ARGUMENTS and not _ONE_KIND.fullmatch(str(value)):
        return f"{name} must name one kind"
    if name == "name" and "/" in str(value):
        return "name must be one object's name, without its kind"
    return None


def _refuse_secrets(offer: ToolOffer, given: Mapping[str, Any]) -> str | None:
    """Refuse Secrets, whichever argument of a tool that we don't know may name them."""
    if offer.name in READABLE:
        named = any(_is_secret(str(given[name])) for name in _KIND_ARGUMENTS & given.keys())
    else:
        named = any(_SECRETS.search(str(value)) for value in given.values())
    if not named:
        return None
    return "Secrets are not read by the diagnosis: what refers to one, and its events, say what is missing"


def _refuse_subcommand(offer: ToolOffer, given: Mapping[str, Any]) -> str | None:
    if offer.name == "kubectl_rollout" and given.get("subCommand") not in _READING_SUBCOMMANDS:
        return f"kubectl_rollout may only be asked for {' or '.join(_READING_SUBCOMMANDS)}"
    return None


def _is_absent(name: str, value: Any) -> bool:
    return value in ("", None) or (value is False and name in _ENDLESS)


def _is_secret(kind: str) -> bool:
    return kind.strip().lower().split(".")[0].split("/")[0] in {"secret", "secrets"}


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
