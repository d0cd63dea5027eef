"""The values that a patch brings, one by one, each with the way to it.

A list item with a name is addressed by it, as in `containers[web].image`; the name itself is then no new
value. An item that is nothing but a name, as in imagePullSecrets, is one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH
from tools.text.field_path import split_path

_ADDING = frozenset({"add", "replace"})
_COPYING = frozenset({"copy", "move"})
_MOST_DEPTH = 64
_TOO_DEEP = f"(nested more than {_MOST_DEPTH} deep)"


@dataclass(frozen=True)
class NewValue:
    """One new value. `steps` are keys, and names of list items in brackets; `value` is a JSON scalar.

    `by_server`: the patch doesn't mention the field, so that the API server's defaults or admission set it.
    """

    steps: tuple[str, ...]
    value: Any
    removed: bool = False
    by_server: bool = False

    @property
    def path(self) -> str:
        """The way to it in one line, as a diff shows it."""
        return ".".join(self.steps).replace(".[", "[")

    @property
    def keys(self) -> tuple[str, ...]:
        """The way to it without the names of list items."""
        return tuple(step for step in self.steps if not step.startswith("["))

    @property
    def field(self) -> str:
        """What the value is called: the last key, or the name of the variable whose `value` it is."""
        if len(self.steps) > 1 and self.steps[-1] == "value" and self.steps[-2].startswith("["):
            return self.steps[-2][1:-1]
        return self.keys[-1] if self.keys else ""


def proposed_values(patch: dict[str, Any] | list[dict[str, Any]]) -> tuple[NewValue, ...]:
    """Return what a patch of any type sets or removes."""
    if isinstance(patch, dict):
        return tuple(flatten((), patch))
    return tuple(value for operation in patch for value in _operation(operation))


def changed_values(
    diff: Iterable[FieldChange], patch: dict[str, Any] | list[dict[str, Any]]
) -> tuple[NewValue, ...]:
    """Return what the dry-run shows as new; values that stood there before, in a longer list, aren't.

    They are compared in the API server's own spelling.
    """
    set_here = {start for value in proposed_values(patch) for start in _starts(value.keys)}
    operations = patch if isinstance(patch, list) else []
    copied = {_keys(one) for one in operations if one.get("op") in _COPYING}
    return tuple(
        value if value.removed or _is_ours(value, set_here, copied) else replace(value, by_server=True)
        for change in diff
        if change.path != APPROVAL_PATH
        for value in _changed(change)
    )


def dropped_fields(patch: dict[str, Any] | list[dict[str, Any]], after: dict[str, Any]) -> tuple[str, ...]:
    """Return the fields that a patch sets and that the dry-run's result doesn't have.

    Empty values don't count: the API server leaves many of them out.
    """
    kept = {value.keys for value in flatten((), after)}
    lost = [
        value.path
        for value in proposed_values(patch)
        if value.value and (value.keys not in kept or value.keys[:1] == ("status",))
    ]
    return tuple(dict.fromkeys(lost))


def flatten(steps: tuple[str, ...], value: Any, *, names: bool = False) -> Iterator[NewValue]:
    """Yield the scalars of a JSON value; null is a removal. `names` yields names of list items, too.

    What is nested deeper than any object of Kubernetes comes as one text, which no evidence holds.
    """
    pending: list[tuple[tuple[str, ...], Any, int]] = [(steps, value, 0)]
    while pending:  # not by calling itself: evidence may be nested as deep as its reader bears
        here, one, depth = pending.pop()
        if isinstance(one, NewValue):
            yield one
        elif not isinstance(one, dict | list):
            yield NewValue(here, one, removed=one is None)
        elif depth >= _MOST_DEPTH:
            yield NewValue(here, _TOO_DEEP)
        elif isinstance(one, dict):
            inside = [(key, item) for key, item in one.items() if not key.startswith("$")]
            pending += (((*here, key), item, depth + 1) for key, item in reversed(inside))
        else:
            parts = [part for item in one for part in _item_parts(here, item, names=names)]
            pending += ((place, part, depth + 1) for place, part in reversed(parts))


def _item_parts(steps: tuple[str, ...], item: Any, *, names: bool) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what a list item consists of: as a whole, or what is known of it by its name, and the rest."""
    if not isinstance(item, dict) or not isinstance(name := item.get("name"), str) or len(item) == 1:
        yield steps, item
        return
    inside = (*steps, f"[{name}]")
    if item.get("$patch") == "delete":
        yield inside, NewValue(inside, None, removed=True)
    if names:
        yield inside, NewValue((*inside, "name"), name)
    yield inside, {key: each for key, each in item.items() if key != "name"}


def _changed(change: FieldChange) -> Iterator[NewValue]:
    steps = split_path(change.path)
    if change.removed:
        yield NewValue(steps, None, removed=True)
        return
    before = Counter() if change.added else Counter(flatten(steps, change.before))
    after = change.after
    if steps[-1].startswith("[") and isinstance(after, dict):  # a list item as a whole
        after = {key: each for key, each in after.items() if key != "name"} or after.get("name")
    for value in flatten(steps, after):
        if before[value] > 0:
            before[value] -= 1
        else:
            yield value


def _operation(operation: dict[str, Any]) -> Iterator[NewValue]:
    kind, keys = operation.get("op"), _keys(operation)
    if kind in _ADDING:
        value = operation.get("value")
        in_list = _parts(operation)[-1:] and _is_position(_parts(operation)[-1])
        yield from flatten(keys, [value] if in_list else value)
    elif kind in _COPYING:
        yield NewValue(keys, None)
    elif kind == "remove":
        yield NewValue(keys, None, removed=True)


def _keys(operation: dict[str, Any]) -> tuple[str, ...]:
    return tuple(part for part in _parts(operation) if not _is_position(part))


def _parts(operation: dict[str, Any]) -> list[str]:
    pointer = str(operation.get("path", "")).split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer]


def _is_position(part: str) -> bool:
    return part == "-" or part.isdecimal()


def _is_ours(value: NewValue, set_here: set[tuple[str, ...]], copied: set[tuple[str, ...]]) -> bool:
    """Whether the patch sets the field or something in it, or copies to it or to what it is in."""
    return value.keys in set_here or not copied.isdisjoint(_starts(value.keys))


def _starts(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [keys[:length] for length in range(len(keys) + 1)]
