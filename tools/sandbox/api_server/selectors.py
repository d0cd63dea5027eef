"""Label and field selectors, with the real server's grammar and its refusals."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tools.kubernetes.resource_types import Kind
from tools.sandbox.api_server.statuses import bad_request
from tools.sandbox.api_server.store import Object

Predicate = Callable[[Object], bool]

_LABEL_TERM = re.compile(
    r"^\s*(?:(?P<absent>!)\s*)?(?P<key>[\w./-]+)"
    r"(?:\s*(?P<op>=|==|!=)\s*(?P<value>[\w.-]*)|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\s*$"
)
_FIELD_TERM = re.compile(r"^(?P<field>[^=!]+)(?P<op>==|=|!=)(?P<value>.*)$")
_EVERY_KIND = frozenset({"metadata.name", "metadata.namespace"})
_MORE_FIELDS = {
    "Pod": frozenset({"spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"}),
    "Event": frozenset({
        "involvedObject.kind", "involvedObject.name", "involvedObject.namespace", "involvedObject.uid",
        "reason", "type",
    }),
    "Namespace": frozenset({"status.phase"}),
    "Secret": frozenset({"type"}),
}  # fmt: skip


def match_labels(selector: str) -> Predicate:
    """Return the test for a label selector such as `app=web,tier in (a, b),!canary`. Raises Refusal (400)."""
    terms = [_label_term(term) for term in re.split(r",(?![^()]*\))", selector) if term.strip()]
    return lambda obj: all(term(obj["metadata"].get("labels") or {}) for term in terms)


def match_fields(kind: Kind, selector: str) -> Predicate:
    """Return the test for a field selector. Raises Refusal (400) for fields that the kind doesn't index."""
    terms = [_field_term(kind, term) for term in selector.split(",") if term]
    return lambda obj: all(term(obj) for term in terms)


def match_label_selector(selector: Mapping[str, Any] | None) -> Callable[[Mapping[str, str]], bool]:
    """Return the test for a `matchLabels` and `matchExpressions` object, as workloads carry it."""
    wanted = (selector or {}).get("matchLabels") or {}
    terms = [
        _set_term(one["key"], one["operator"], set(one.get("values") or []))
        for one in (selector or {}).get("matchExpressions") or []
    ]
    return lambda labels: wanted.items() <= labels.items() and all(term(labels) for term in terms)


def _label_term(term: str) -> Callable[[Mapping[str, str]], bool]:
    match = _LABEL_TERM.match(term)
    if match is None:
        raise bad_request(
            f"unable to parse requirement: found '{term.strip()}', expected: '=', '!=', '==', 'in', notin'"
        )
    key, value = match["key"], match["value"] or ""
    if match["set"]:
        values = {part.strip() for part in match["values"].split(",")}
        return _set_term(key, {"in": "In", "notin": "NotIn"}[match["set"]], values)
    if match["op"] is None:
        return _set_term(key, "DoesNotExist" if match["absent"] else "Exists", set())
    return _set_term(key, "NotIn" if match["op"] == "!=" else "In", {value})


def _set_term(key: str, operator: str, values: set[str]) -> Callable[[Mapping[str, str]], bool]:
    tests: dict[str, Callable[[Mapping[str, str]], bool]] = {
        "In": lambda labels: key in labels and labels[key] in values,
        "NotIn": lambda labels: key not in labels or labels[key] not in values,
        "Exists": lambda labels: key in labels,
        "DoesNotExist": lambda labels: key not in labels,
    }
    return tests[operator]


def _field_term(kind: Kind, term: str) -> Predicate:
    match = _FIELD_TERM.match(term)
    if match is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field, value, negated = match["field"], match["value"], match["op"] == "!="
    if field not in _EVERY_KIND | _MORE_FIELDS.get(kind.kind, frozenset()):
        raise _unknown_field(kind, field)
    return lambda obj: (_read(obj, field) == value) != negated


def _unknown_field(kind: Kind, field: str) -> Exception:
    if kind.kind in _MORE_FIELDS:
        return bad_request(f"field label not supported: {field}")
    return bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _read(obj: Object, field: str) -> str:
    value: Any = obj
    for part in field.split("."):
        value = (value or {}).get(part)
    return "" if value is None else str(value)
