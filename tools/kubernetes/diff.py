"""What a patch changes, field by field: the part of a proposal that a person reads and the digest covers.

Fields that differ between two identical dry-runs are left out: managedFields, resourceVersion, generation,
creation bookkeeping and status. List items that all carry a `name` are addressed by it, so that a container
is called by its name and not by its position.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.text.field_path import _STEP

_VOLATILE_METADATA = frozenset({"managedFields", "resourceVersion", "generation", "selfLink"})
_MISSING = object()


class FieldChange(BaseModel):
    """One changed field. `before`/`after` are JSON values; the flags tell an absent field from a null."""

    model_config = ConfigDict(frozen=True)

    path: str
    before: Any = None
    after: Any = None
    added: bool = False
    removed: bool = False

    def __str__(self) -> str:
        before = "(absent)" if self.added else repr(self.before)
        after = "(removed)" if self.removed else repr(self.after)
        return f"{self.path}: {before} → {after}"


def diff_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Return every stable field that differs between two versions of one object, ordered by path."""
    changes = _compare("", _stable(before), _stable(after))
    return tuple(sorted(changes, key=lambda change: change.path))


def shows_change(document: Mapping[str, Any], change: FieldChange) -> bool:
    """Whether a document's field is as the change left it."""
    value: Any = document
    for quoted, item, key in _STEP.findall(change.path):
        if item:
            value = (_by_name(value) or {}).get(item, _MISSING)
        else:
            value = value.get(quoted or key, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            return change.removed
    return not change.removed and bool(value == change.after)


def _stable(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key != "status"}
    metadata = document.get("metadata", {})
    kept["metadata"] = {key: value for key, value in metadata.items() if key not in _VOLATILE_METADATA}
    # So that an annotation is one line of the diff, whether or not it is the object's first.
    kept["metadata"]["annotations"] = metadata.get("annotations") or {}
    return kept


def _compare(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before is _MISSING:
        yield FieldChange(path=path, after=after, added=True)
    elif after is _MISSING:
        yield FieldChange(path=path, before=before, removed=True)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from _compare(_join(path, key), before.get(key, _MISSING), after.get(key, _MISSING))
    elif (old := _by_name(before)) and (new := _by_name(after)) and _same_order(old, new):
        for name in old.keys() | new.keys():
            yield from _compare(f"{path}[{name}]", old.get(name, _MISSING), new.get(name, _MISSING))
    elif _spell(before) != _spell(after):
        yield FieldChange(path=path, before=before, after=after)


def same_changes(one: Iterable[FieldChange], other: Iterable[FieldChange]) -> bool:
    """Whether two diffs are the same to the byte; to Python alone 1, 1.0 and True would be equal."""
    return _spell([change.model_dump() for change in one]) == _spell(
        [change.model_dump() for change in other]
    )


def _spell(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _join(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _by_name(items: Any) -> dict[str, Any] | None:
    if not isinstance(items, list) or not all(isinstance(item, dict) and "name" in item for item in items):
        return None
    named = {item["name"]: item for item in items}
    return named if len(named) == len(items) else None


def _same_order(old: dict[str, Any], new: dict[str, Any]) -> bool:
    common = old.keys() & new.keys()
    return [name for name in old if name in common] == [name for name in new if name in common]
