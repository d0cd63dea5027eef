"""Decodes objects as the API server's typed decoder does: unknown fields are dropped, wrong types refused.

The types are lightkube's models, generated from Kubernetes' OpenAPI document: no schema of our own to rot.
"""

import functools
import importlib
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

from tools.errors import BadInput
from tools.kubernetes.resource_types import Kind
from tools.sandbox.api_server.quantities import canonical_quantity
from tools.sandbox.api_server.store import Object

_TEXT_MAPS = frozenset({"annotations", "data", "labels", "matchLabels", "nodeSelector", "stringData"})
_QUANTITY_MAPS = frozenset({"allocatable", "capacity", "hard", "limits", "requests", "used"})
_GO_TYPES: dict[type, str] = {str: "string", int: "int32", bool: "bool", float: "float64"}


def decode(kind: Kind, obj: Object) -> tuple[Object, list[str]]:
    """Return the object with only the fields its kind has, and the paths of the fields that were dropped.

    Raises BadInput for a value of the wrong type, in Go's words.
    """
    unknown: list[str] = []
    model = getattr(_module(kind), kind.kind)
    decoded = _struct(model, obj, "", unknown)
    decoded["metadata"].pop("managedFields", None)
    return {"kind": kind.kind, "apiVersion": kind.api_version, **decoded}, unknown


def _module(kind: Kind) -> types.ModuleType:
    room = kind.group.split(".")[0] or "core"
    return importlib.import_module(f"lightkube.models.{room}_{kind.version}")


@functools.cache
def _fields(model: type) -> dict[str, Any]:
    hints = get_type_hints(model)
    return {name.rstrip("_"): hint for name, hint in hints.items() if not name.startswith("_")}


def _struct(model: type, value: Any, path: str, unknown: list[str]) -> Object:
    if not isinstance(value, dict):
        raise _mismatch(value, path, model.__name__)
    fields, decoded = _fields(model), {}
    for name, child in value.items():
        where = f"{path}.{name}" if path else name
        if name not in fields:
            unknown.append(where)
        elif child is not None or name == "creationTimestamp":
            kept = _value(fields[name], child, where, unknown)
            if kept != [] and not (kept == {} and name in _TEXT_MAPS | _QUANTITY_MAPS):
                decoded[name] = kept
    return decoded


def _value(hint: Any, value: Any, path: str, unknown: list[str]) -> Any:
    options = [one for one in get_args(hint) if one is not types.NoneType] if _is_union(hint) else [hint]
    if len(options) > 1 or value is None:
        return _scalar_or_text(value, path)
    (hint,) = options
    if get_origin(hint) is list:
        return _list(get_args(hint)[0], value, path, unknown)
    if hint in _GO_TYPES:
        return _scalar(hint, value, path)
    if hint is dict:
        return _map(value, path)
    if isinstance(hint, type) and hint.__module__.startswith("lightkube.models"):
        return _struct(hint, value, path, unknown)
    return value


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in {Union, types.UnionType}


def _scalar_or_text(value: Any, path: str) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise _mismatch(value, path, "IntOrString")
    return value


def _scalar(wanted: type, value: Any, path: str) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if type(value) is not wanted:
        raise _mismatch(value, path, _GO_TYPES[wanted])
    return value


def _list(item: Any, value: Any, path: str, unknown: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise _mismatch(value, path, "[]" + getattr(item, "__name__", "object"))
    return [_value(item, child, f"{path}[{index}]", unknown) for index, child in enumerate(value)]


def _map(value: Any, path: str) -> Object:
    if not isinstance(value, dict):
        raise _mismatch(value, path, "map[string]string")
    name = path.rpartition(".")[2]
    kept = {key: child for key, child in value.items() if child is not None}
    if name in _QUANTITY_MAPS:
        return {key: canonical_quantity(child) for key, child in kept.items()}
    for key, child in kept.items():
        if name in _TEXT_MAPS and not isinstance(child, str):
            raise _mismatch(child, f"{path}.{key}", "string")
    return kept


def _mismatch(value: Any, path: str, wanted: str) -> BadInput:
    names: dict[type, str] = {
        dict: "object",
        list: "array",
        str: "string",
        bool: "bool",
        int: "number",
        float: "number",
    }
    given = names.get(type(value), "value")
    return BadInput(f"json: cannot unmarshal {given} into Go struct field {path} of type {wanted}")
