"""The reading tools as the model is shown them: those the policy lets it read through, each name once."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from graph.llm.context import sanitise
from graph.llm.decision_schema import DECISIONS
from graph.policy import Policy, refuse_tool
from tools.llm.client import Function
from tools.mcp.toolbox import ToolOffer

# Endpoints refuse a whole question for one name that doesn't look like this.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DESCRIPTION_CHARACTERS = 1_000
_SHOWN_ARGUMENTS = 20


def choose_offers(offers: Sequence[ToolOffer], policy: Policy) -> Mapping[str, ToolOffer]:
    """Return the tools to show by name; where several servers have one, the first server's."""
    chosen: dict[str, ToolOffer] = {}
    for offer in offers:
        allowed = offer.name not in DECISIONS and refuse_tool(offer, policy) is None
        if _NAME.fullmatch(offer.name) and allowed:
            chosen.setdefault(offer.name, offer)
    return chosen


def as_function(offer: ToolOffer, policy: Policy) -> Function:
    """Return a tool as a function to call; its server's description is a stranger's text."""
    return Function(offer.name, sanitise(offer.description)[:_DESCRIPTION_CHARACTERS], _schema(offer, policy))


def list_signatures(offers: Mapping[str, ToolOffer], policy: Policy) -> str:
    """Return all tools with their arguments, for endpoints that are shown no functions."""
    return "; ".join(f"{name}({', '.join(_arguments(offer, policy))})" for name, offer in offers.items())


def _schema(offer: ToolOffer, policy: Policy) -> dict[str, Any]:
    """Return a tool's schema without the arguments that the policy would refuse, where it lists the rest."""
    allowed = policy.reads.get(offer.name)
    given = offer.input_schema.get("properties")
    if allowed is None or not isinstance(given, dict):
        return offer.input_schema
    return {**offer.input_schema, "properties": {name: given[name] for name in given if name in allowed}}


def _arguments(offer: ToolOffer, policy: Policy) -> Sequence[str]:
    schema = _schema(offer, policy)
    required, given = schema.get("required"), schema.get("properties")
    required = required if isinstance(required, list) else []
    names = [name for name in given if _NAME.fullmatch(name)] if isinstance(given, dict) else []
    return [name if name in required else f"{name}?" for name in names[:_SHOWN_ARGUMENTS]]
