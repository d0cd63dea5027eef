"""Changes that would only hide a fault, judged by what they do and not by how they are written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from graph.domain.quantities import GIBIBYTE, MEBIBYTE, parse_amount
from graph.policy.effects import View, look_up
from graph.policy.fields.leaves import PROBES
from tools.kubernetes.diff import FieldChange

_PROBE = re.compile(rf".*\.(?P<field>{'|'.join(PROBES)})(?=$|[.\[])")
_RESOURCE = re.compile(r"(?P<resources>.*\.resources)\.(?P<kind>limits|requests)(\.|\[\")(?P<name>[^\]\"]+)")
_NO_LIMITS = re.compile(r".*\.resources(\.limits)?")
_HANDLERS = frozenset({"exec", "httpGet", "tcpSocket", "grpc"})
_DEFAULTS = {
    "initialDelaySeconds": 0, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1,
    "failureThreshold": 3,
}  # fmt: skip
# a start may take long; what has started is asked often enough that somebody learns of it
_LONGEST = {"livenessProbe": 600, "readinessProbe": 600, "startupProbe": 1_800}
_MOST_TIMES = 16
_MOST_REPLICAS = 1_000
# so many are no surge, however few there were
_FEW_REPLICAS = 50
_SMALLEST_MEMORY = 4 * MEBIBYTE
# by resource: what any container may have, whatever it had before; and what no node has
_ORDINARY = {"cpu": Decimal(8), "memory": Decimal(8 * GIBIBYTE), "ephemeral-storage": Decimal(64 * GIBIBYTE)}
_BEYOND_NODES = {"cpu": Decimal(1_024), "memory": Decimal(32 * 1_024 * GIBIBYTE)}
_ORDINARY_OF_OTHERS, _BEYOND_OTHERS = Decimal(16), Decimal(2**60)


def refuse_symptoms(effects: Sequence[FieldChange], then: View, now: View) -> str | None:
    """Return why a diff would only hide a fault, or None. `then` is the object without it, `now` with it."""
    refusals = (*_probes(effects, then, now), *_resources(effects, now), *_replicas(effects))
    return next((refusal for refusal in refusals if refusal), None)


def _probes(effects: Iterable[FieldChange], then: View, now: View) -> Iterator[str | None]:
    found = (_PROBE.match(change.path) for change in effects)
    for path, field in dict.fromkeys((match[0], match["field"]) for match in found if match):
        yield _refuse_probe(path, field, look_up(then, path), look_up(now, path))


def _refuse_probe(path: str, field: str, before: Any, after: Any) -> str | None:
    if not after:
        return f"removing {path} would only hide the symptom"
    if not isinstance(after, dict):
        return f"{path} must be a probe"
    before = before if isinstance(before, dict) else {}
    had, has = _HANDLERS & before.keys(), _HANDLERS & after.keys()
    if had and had != has:
        return f"{path} would be asked in another way ({_spell(had)} → {_spell(has)}): that is another probe"
    bound = max(_LONGEST[field], _patience(before) if before else 0)
    if _patience(after) > bound:
        return (
            f"{path} couldn't fail, or recover, within {bound} s: that hides the symptom as removing it would"
        )
    return None


def _patience(probe: dict[str, Any]) -> int:
    """Return after how many seconds a container that never answers is ended, or one that does is ready."""
    delay, timeout, period, successes, failures = (
        value if isinstance(value := probe.get(name), int) else default for name, default in _DEFAULTS.items()
    )
    grace = probe.get("terminationGracePeriodSeconds")  # so long it may go on after it has failed
    return delay + max(failures, successes) * max(period, timeout) + (grace if isinstance(grace, int) else 0)


def _spell(handlers: frozenset[str]) -> str:
    return " and ".join(sorted(handlers)) or "nothing"


def _resources(effects: Iterable[FieldChange], now: View) -> Iterator[str | None]:
    for change in effects:
        if change.removed and _NO_LIMITS.fullmatch(change.path):
            yield f"removing {change.path} would only hide the symptom"
        if match := _RESOURCE.fullmatch(change.path.removesuffix('"]')):
            yield _refuse_resource(change, match["kind"], match["name"], look_up(now, match["resources"]))


def _refuse_resource(change: FieldChange, kind: str, name: str, resources: Any) -> str | None:
    if change.removed:
        return f"removing {change.path} would only hide the symptom" if kind == "limits" else None
    after, before = _amount(change.after), _amount(change.before)
    if after is None:
        return f"{change.path}: {change.after!r} is no quantity"
    if kind == "limits" and after < (_SMALLEST_MEMORY if name == "memory" else Decimal("0.001")):
        return f"{change.path}: nothing runs within {change.after}, or it means no limit at all"
    beyond = _BEYOND_NODES.get(name, _BEYOND_OTHERS)
    most = max(before * _MOST_TIMES, _ORDINARY.get(name, _ORDINARY_OF_OTHERS)) if before else beyond
    if after > min(most, beyond):
        return (
            f"{change.path}: {change.after} is more than {_MOST_TIMES} times what it was, or than a node has"
        )
    asked = _amount(((resources or {}).get("requests") or {}).get(name))
    if kind == "limits" and asked is not None and after < asked:
        return f"{change.path}: {change.after} is below the request"
    return None


def _amount(value: Any) -> Decimal | None:
    return parse_amount(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _replicas(effects: Iterable[FieldChange]) -> Iterator[str | None]:
    for change in effects:
        if change.path == "spec.replicas":
            yield _refuse_replicas(change.before, change.after)


def _refuse_replicas(before: Any, after: Any) -> str | None:
    if not isinstance(after, int) or isinstance(after, bool) or after <= 0:
        return "scaling to zero would only hide the symptom"
    had = before if isinstance(before, int) else 0
    most = max(_FEW_REPLICAS, had * _MOST_TIMES) if had else _MOST_REPLICAS
    if after > min(most, max(_MOST_REPLICAS, had)):
        return (
            f"spec.replicas: {after} is more than {_MOST_TIMES} times what it was, or than {_MOST_REPLICAS}"
        )
    return None
