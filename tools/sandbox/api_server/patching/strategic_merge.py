"""Kubernetes' strategic merge patch: lists with a merge key are merged item by item.

The rules are those of k8s.io/apimachinery's strategicpatch: `$patch: delete|replace|merge`, null deletes,
`$setElementOrder/<list>`, `$retainKeys`, `$deleteFromPrimitiveList/<list>`. Merge keys are declared in the Go
types of the API; the table below holds those of the kinds that the sandbox serves.
"""

import copy
from typing import Any

from tools.sandbox.api_server.statuses import Refusal
from tools.sandbox.api_server.store import Object

_MERGE_KEYS = {
    "conditions": "type", "containers": "name", "env": "name", "ephemeralContainers": "name",
    "hostAliases": "ip", "imagePullSecrets": "name", "initContainers": "name", "ownerReferences": "uid",
    "podIPs": "ip", "schedulingGates": "name", "secrets": "name", "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath", "volumeMounts": "mountPath", "volumes": "name",
}  # fmt: skip
_PRIMITIVE_SETS = frozenset({"finalizers"})
_ORDER, _REMOVED, _RETAIN, _DIRECTIVE = (
    "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys", "$patch",
)  # fmt: skip


def apply_strategic_patch(kind: str, target: Object, patch: Object) -> Object:
    """Return `target` with a strategic merge patch applied.

    Raises Refusal (500, as the real server answers) for an item without its merge key and for an unknown
    directive.
    """
    return _Merge(kind).merge(target, patch)


class _Merge:
    def __init__(self, kind: str) -> None:
        self._keys = {**_MERGE_KEYS, "ports": "port" if kind == "Service" else "containerPort"}

    def merge(self, target: Object, patch: Object) -> Object:
        directive = patch.get(_DIRECTIVE, "merge")
        if directive == "replace":
            plain: Object = _plain({key: value for key, value in patch.items() if key != _DIRECTIVE})
            return plain
        if directive == "delete":
            return {}
        if directive != "merge":
            raise Refusal(500, f"unknown patch type: {directive} in map: map[$patch:{directive}]")
        merged = _retained(target, patch)
        for key, value in patch.items():
            self._merge_field(merged, key, value, patch)
        _drop_primitives(merged, patch)
        self._reorder(merged, patch)
        return merged

    def _merge_field(self, merged: Object, key: str, value: Any, patch: Object) -> None:
        if key.startswith("$"):
            return
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            current = merged.get(key)
            merged[key] = self.merge(current if isinstance(current, dict) else {}, value)
        elif isinstance(value, list) and key in self._keys:
            order = patch.get(_ORDER + key)
            merged[key] = self._merge_list(merged.get(key) or [], value, self._keys[key], order)
        elif isinstance(value, list) and key in _PRIMITIVE_SETS:
            merged[key] = list(dict.fromkeys([*(merged.get(key) or []), *value]))
        else:
            merged[key] = copy.deepcopy(value)

    def _merge_list(self, items: list[Any], patch: list[Any], key: str, order: list[Any] | None) -> list[Any]:
        for one in patch:
            _require_key(one, key)
        if any(one.get(_DIRECTIVE) == "replace" for one in patch):
            return [_plain(one) for one in patch if _DIRECTIVE not in one]
        dropped = {one[key] for one in patch if one.get(_DIRECTIVE) == "delete"}
        wanted = [one for one in patch if one.get(_DIRECTIVE) != "delete"]
        merged = {one[key]: one for one in items if one.get(key) not in dropped}
        for one in wanted:
            merged[one[key]] = self.merge(merged.get(one[key], {}), one)
        first = [one.get(key) for one in (order if order is not None else wanted)]
        server = [one.get(key) for one in items]
        return [merged[name] for name in _interleave(list(merged), first, server)]

    def _reorder(self, merged: Object, patch: Object) -> None:
        """`$setElementOrder` may stand without its list: then it only orders what is there."""
        for name in (key.removeprefix(_ORDER) for key in patch if key.startswith(_ORDER)):
            key = self._keys.get(name)
            if key is None or name in patch or not isinstance(merged.get(name), list):
                continue
            items = {one.get(key): one for one in merged[name]}
            first = [one.get(key) for one in patch[_ORDER + name]]
            merged[name] = [items[one] for one in _interleave(list(items), first, list(items))]


def _interleave(names: list[Any], first: list[Any], server: list[Any]) -> list[Any]:
    """Order `names`: those in `first` in its order, the others in the server's, merged as Kubernetes does.

    An item that only the server has stands before one of the patch only if the server had both in that order.
    """
    patched = [name for name in dict.fromkeys(first) if name in names]
    others = [name for name in names if name not in patched]
    place = {name: index for index, name in enumerate(server)}
    ordered: list[Any] = []
    while patched and others:
        known = patched[0] in place and others[0] in place
        ahead = known and place[others[0]] < place[patched[0]]
        ordered.append(others.pop(0) if ahead else patched.pop(0))
    return ordered + patched + others


def _require_key(item: Any, key: str) -> None:
    if not isinstance(item, dict):
        raise Refusal(422, "cannot restore struct from: " + type(item).__name__, reason="Invalid", details={})
    if item.get(_DIRECTIVE) != "replace" and key not in item:
        shown = " ".join(f"{name}:{value}" for name, value in sorted(item.items()))
        raise Refusal(500, f"map: map[{shown}] does not contain declared merge key: {key}")


def _retained(target: Object, patch: Object) -> Object:
    keep = patch.get(_RETAIN)
    return {key: value for key, value in target.items() if keep is None or key in keep}


def _drop_primitives(merged: Object, patch: Object) -> None:
    for directive, values in patch.items():
        name = directive.removeprefix(_REMOVED)
        if directive.startswith(_REMOVED) and isinstance(merged.get(name), list):
            merged[name] = [one for one in merged[name] if one not in values]


def _plain(value: Any) -> Any:
    """Return a copy without directives and nulls: what they would act on isn't there."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None and not key.startswith("$")}
    if isinstance(value, list):
        return [_plain(one) for one in value if not (isinstance(one, dict) and one.get(_DIRECTIVE))]
    return copy.deepcopy(value)
