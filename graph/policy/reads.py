"""What the diagnosis may read: listed tools with listed arguments, and never a Secret."""

import re
from collections.abc import Mapping
from typing import Any

from graph.policy.document import BUILT_IN, Policy
from graph.policy.hard_limits import NEVER_ARGUMENT, NEVER_READ
from tools.mcp.toolbox import ToolOffer

_READING_SUBCOMMANDS = ("history", "status")
_KIND_ARGUMENTS = frozenset({"resourceType", "kind", "resource"})
_SECRETS = re.compile(r"(?<![\w-])secrets?(?![\w-])", re.IGNORECASE)
_ENDLESS = frozenset({"follow", "watch"})
_ONE_KIND = re.compile(r"[A-Za-z][A-Za-z0-9.-]*")


def refuse_tool(offer: ToolOffer | None, policy: Policy) -> str | None:
    """Return why the diagnosis may not call a tool at all, or None. What isn't known counts as mutating.

    `offer` None: no server has such a tool. A server's word that one only reads counts where it is trusted.
    """
    if offer is None:
        return "there is no such tool"
    listed = offer.name in policy.reads
    if offer.name in NEVER_READ or not (listed or (offer.read_only_hint and offer.trusted)):
        return f"{offer.name} isn't on the list of read-only tools, so the diagnosis may not call it"
    return None


def refuse_read(offer: ToolOffer | None, arguments: Mapping[str, Any], policy: Policy) -> str | None:
    """Return why the diagnosis may not make a call, or None.

    What models write for an argument that they leave open ("", null, `follow: false`) counts as absent.
    """
    refusal = refuse_tool(offer, policy)
    if refusal or offer is None:
        return refusal
    allowed = policy.reads.get(offer.name)
    given = {name: value for name, value in arguments.items() if not _is_absent(name, value)}
    refusals = (_refuse_argument(offer.name, allowed, name, value) for name, value in given.items())
    return (
        next((refusal for refusal in refusals if refusal), None)
        or _refuse_secrets(offer, given)
        or _refuse_subcommand(offer, given)
    )


def _refuse_argument(tool: str, allowed: tuple[str, ...] | None, name: str, value: Any) -> str | None:
    if (allowed is not None and name not in allowed) or NEVER_ARGUMENT.fullmatch(name):
        return f"the argument {name} of {tool} isn't allowed in the diagnosis"
    if not isinstance(value, str | int | float):
        return f"the argument {name} of {tool} must be a plain value"
    if isinstance(value, str) and value.lstrip().startswith("-"):
        return f"the argument {name} begins with a dash: it would be taken for an option"
    if name in _KIND_ARGUMENTS and not _ONE_KIND.fullmatch(str(value)):
        return f"{name} must name one kind"
    if name == "name" and "/" in str(value):
        return "name must be one object's name, without its kind"
    return None


def _refuse_secrets(offer: ToolOffer, given: Mapping[str, Any]) -> str | None:
    """Refuse Secrets, whichever argument of a tool that we don't know may name them."""
    if offer.name in BUILT_IN.reads:  # those whose arguments we know
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
