"""Timelines and plans in words, for every place where people read them.

What comes from the cluster stays as it came: whoever shows these texts makes them harmless.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Any

from graph.domain.incident import Entry
from graph.domain.proposal import VerificationPlan
from tools.mcp.toolbox import OWN_SERVER

_ANSWER_LINES = 6
_TOLD: dict[str, str] = {
    "node_entered": "{node}",
    "proposed": "{approval_id}: {summary}",
    "reminded": "{approval_id}: {reason}",
    "not_withdrawn": "{approval_id}: {reason}",
    "decided": "{verdict} by {by}: {reason}",
    "applying": "{approval_id}",
    "applied": "{outcome}: {detail}",
    "verdict": "{verdict}: {reason}",
    "ended": "{status}: {reason}",
    "error": "{reason}",
    "not_proposed": "{reason}; it would be: {command}",
    "undelivered": "channel {channel} was never told ({event}): {reason}",
}


def tell(entry: Entry) -> str:
    """Return what a line of a timeline says, on one line of text or several."""
    data: dict[str, Any] = {name: "" if value is None else value for name, value in entry.data.items()}
    template = _TOLD.get(entry.kind)
    if teller := _TELLERS.get(entry.kind):
        return teller(data)
    if template and all(name in data for name in _names(template)):
        return template.format_map(data).removesuffix(": ")
    return "  ".join(f"{name}: {value}" for name, value in data.items() if value != "")


def say_plan(plan: VerificationPlan) -> str:
    """Return what must hold after a change, and for how long."""
    held = ", ".join(predicate.replace("_", " ") for predicate in plan.predicates)
    return f"{held}; for {plan.window_seconds:g} s without a break, within {plan.budget_seconds:g} s"


def _call(data: Mapping[str, Any]) -> str:
    server = data.get("server", OWN_SERVER)
    tool = data.get("tool") if server == OWN_SERVER else f"{server}/{data.get('tool')}"
    return (
        f"{tool} {json.dumps(data.get('arguments'), ensure_ascii=False)}\n{data.get('reason', '')}".rstrip()
    )


def _checks(data: Mapping[str, Any]) -> str:
    return "\n".join(_check(check) for check in data.get("checks", []))


def _names(template: str) -> Iterable[str]:
    return (name for _, name, _, _ in Formatter().parse(template) if name)


def _alert(data: Mapping[str, Any]) -> str:
    count = data.get("alerts")
    about = f" about {data['target']}" if data.get("target") else ""
    alerts = f"{count} alert{'' if count == 1 else 's'}{about}"
    missing = f"; {data['truncated']} more were left out (max_alerts)" if data.get("truncated") else ""
    return f"{data.get('alertname')}: {alerts}, from receiver {data.get('receiver')}{missing}"


def _attached(data: Mapping[str, Any]) -> str:
    about = " ".join(str(data[name]) for name in ("alertname", "status", "about") if data.get(name))
    return ": ".join(part for part in (about, str(data.get("note", ""))) if part)


def _reasoning(data: Mapping[str, Any]) -> str:
    """Return a decision, what a model's costs are by now, and what was wrong with its answers before."""
    lines = [f"(told back: {complaint})" for complaint in data.get("complaints", [])]
    by = ""
    if data.get("source") == "model":
        memory = data.get("model", {})
        by = f" (model: {memory.get('calls', 0)} calls, {memory.get('tokens', 0)} tokens so far)"
    return "\n".join([*lines, f"{data.get('reason')} → {data.get('decision')}{by}"])


def _check(check: Mapping[str, Any]) -> str:
    sign = {True: "✓", False: "✗", None: "?"}[check.get("held")]
    return f"{sign} {check.get('predicate')} ({check.get('detail')})"


def _answer(data: Mapping[str, Any]) -> str:
    """Return the first lines of what a tool answered; whole objects as JSON only by their size."""
    excerpt = str(data.get("excerpt", "")).strip()
    size = f"{'error' if data.get('is_error') else 'ok'}, {data.get('characters')} characters"
    if excerpt.startswith(("{", "[")) and not data.get("is_error"):
        return f"[{data.get('evidence')}] {size} of JSON"
    lines = excerpt.splitlines()
    shown = [size, *lines[:_ANSWER_LINES], *(["…"] if len(lines) > _ANSWER_LINES else [])]
    return f"[{data.get('evidence')}] " + "\n".join(shown)


_TELLERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "alert_received": _alert,
    "alert_attached": _attached,
    "reasoned": _reasoning,
    "tool_called": _call,
    "tool_answered": _answer,
    "checked": _checks,
}
