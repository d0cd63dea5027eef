"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902), as the API server applies them."""

import copy
from typing import Any

from tools.sandbox.api_server.statuses import unprocessable
from tools.sandbox.api_server.store import Object


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with an RFC 7386 merge patch applied: null removes, lists are replaced whole."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_merge_patch(merged.get(key), value)
    return merged


def apply_json_patch(target: Object, operations: list[Any]) -> Object:
    """Return `target` with RFC 6902 operations applied, all or none.

    Raises Refusal (422) when an operation is malformed, points nowhere, or is a `test` that fails.
    """
    document: Any = copy.deepcopy(target)
    for operation in operations:
        document = _apply(document, operation)
    if not isinstance(document, dict):
        raise unprocessable()
    return document


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise unprocessable()
    verb, path = operation.get("op"), _pointer(operation["path"])
    if verb == "test":
        if _read(document, path) != _operand(operation):
            raise unprocessable()
        return document
    if verb == "remove":
        return _remove(document, path)
    if verb in {"move", "copy"}:
        return _relocate(document, _pointer(operation.get("from")), path, keep=verb == "copy")
    if verb == "replace":
        _read(document, path)
        return _write(document, path, _operand(operation), insert=False)
    if verb == "add":
        return _write(document, path, _operand(operation), insert=True)
    raise unprocessable()


def _operand(operation: Object) -> Any:
    if "value" not in operation:
        raise unprocessable()
    return copy.deepcopy(operation["value"])


def _relocate(document: Any, source: list[str], path: list[str], *, keep: bool) -> Any:
    value = copy.deepcopy(_read(document, source))
    if not keep:
        if path[: len(source)] == source and path != source:
            raise unprocessable()
        document = _remove(document, source)
    return _write(document, path, value, insert=True)


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise unprocessable()
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _read(document: Any, path: list[str]) -> Any:
    for part in path:
        document = _child(document, part)
    return document


def _child(container: Any, part: str) -> Any:
    if isinstance(container, dict) and part in container:
        return container[part]
    if isinstance(container, list):
        return container[_index(part, len(container) - 1)]
    raise unprocessable()


def _index(part: str, last: int) -> int:
    if not part.isascii() or not part.isdigit() or (part != "0" and part[0] == "0") or int(part) > last:
        raise unprocessable()
    return int(part)


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise unprocessable()
    parent = _read(document, path[:-1])
    _child(parent, path[-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return document


def _write(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and insert:
        parent.insert(len(parent) if last == "-" else _index(last, len(parent)), value)
    elif isinstance(parent, list):
        parent[_index(last, len(parent) - 1)] = value
    else:
        raise unprocessable()
    return document
