"""How far a model may read: in its incident's namespaces, in those that the policy opens, and of the cluster.

What a runbook reads is bound by its code. A model may be told by what it reads to read on, where another
tenant is at home, and its report goes to those who are responsible for this one.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from graph.policy.conditions import matches_any
from graph.policy.document import Policy
from tools.errors import UnknownKind
from tools.kubernetes.resource_types import find_kind
from tools.mcp.toolbox import OWN_SERVER, ToolOffer

EVERYWHERE = "*"
"""In `reads_namespaces` it opens all namespaces, and reading all of them at once."""
_OWN_DEFAULT = "default"
# what isn't in a namespace, or says only what kinds there are
_WITHOUT_NAMESPACE = frozenset({"explain_resource", "list_api_resources", "namespaces_list", "nodes_top"})
_OF_ALL = frozenset({"pods_list"})
_ALL = re.compile(r"all_?namespaces", re.IGNORECASE)
_NAMING = re.compile(r"(.*_)?namespaces?|ns|.*Namespaces?")


def refuse_reach(
    offer: ToolOffer, arguments: Mapping[str, Any], policy: Policy, namespaces: Collection[str]
) -> str | None:
    """Return why a model may not make a call that would be let through otherwise, or None.

    `namespaces` are those of its incident. A call that names none reads all of them to many a server, so that
    it counts as one; a tool that the policy doesn't list and that takes no namespace isn't bound.
    """
    if EVERYWHERE in policy.reads_namespaces:
        return None
    where = f"its incident's ({', '.join(sorted(namespaces)) or 'it has none'})"
    if offer.name in _OF_ALL or any(_ALL.fullmatch(name) and arguments[name] for name in arguments):
        return f"a model may not read all namespaces at once, only {where}: name one"
    listed = offer.name in policy.reads
    named = [value for name, value in arguments.items() if _NAMING.fullmatch(name) and value]
    if listed and (offer.name in _WITHOUT_NAMESPACE or _is_of_cluster(arguments)):
        return None
    if listed and not named:
        if offer.server != OWN_SERVER:
            return f"a model may not read all namespaces at once, only {where}: name one"
        named = [_OWN_DEFAULT]
    for value in named:
        if str(value) not in namespaces and not matches_any(policy.reads_namespaces, str(value)):
            return (
                f"a model may not read namespace {str(value)[:80]!r}, only {where} and what the policy's"
                " reads_namespaces opens"
            )
    return None


def _is_of_cluster(arguments: Mapping[str, Any]) -> bool:
    """Whether a call is about objects of the cluster itself, as nodes are."""
    kind, version = arguments.get("resourceType") or arguments.get("kind"), arguments.get("apiVersion")
    try:
        found = find_kind(str(kind))
    except UnknownKind:
        return False
    return not found.namespaced and version in {None, "", found.api_version}
