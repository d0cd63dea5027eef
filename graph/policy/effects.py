"""What a diff does, leaf by leaf, and the object with and without it: effects are judged, not texts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graph.domain.proposal import canonical_json
from tools.kubernetes.diff import FieldChange
from tools.text.field_path import split_path

View = dict[str, Any]
"""An object as paths of a diff lead through it: items of a list that have names are keys, as `[nginx]`."""


def list_effects(diff: Iterable[FieldChange]) -> Iterator[FieldChange]:
    """Yield each leaf that a diff adds, changes or removes.

    A list of scalars is one leaf. Items without a name are called `[*]`, and those that stay as they are
    aren't yielded. What holds nothing, or nothing that is known, is yielded itself.
    """
    for change in diff:
        before = None if change.added else change.before
        after = None if change.removed else change.after
        yield from _compare(change.path, before, after)


def view_both(before: Mapping[str, Any] | None, diff: Iterable[FieldChange]) -> tuple[View, View]:
    """Return the object without and with a diff. `before` None: no more of it than the diff itself shows."""
    then: View = _view(before or {})
    now: View = _view(before or {})
    for change in diff:
        _put(then, change.path, None if change.added else change.before)
        _put(now, change.path, None if change.added else change.before)
        _put(now, change.path, None if change.removed else change.after)
    return then, now


def look_up(view: View, path: str) -> Any:
    """Return what a path leads to, or None if it isn't there."""
    value: Any = view
    for step in split_path(path):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _compare(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before is not None and canonical_json(before) == canonical_json(after):
        return
    kinds = {type(one) for one in (before, after) if one is not None}
    if kinds == {dict} and (before or after):
        old, new = before or {}, after or {}
        for key in dict.fromkeys((*old, *new)):
            yield from _compare(_join(path, key), old.get(key), new.get(key))
    elif kinds == {list} and all(isinstance(one, dict) for one in (*(before or ()), *(after or ()))):
        yield from _compare_items(path, before or [], after or [])
    else:
        gone = after is None
        yield FieldChange(
            path=path, before=before, after=after, added=before is None and not gone, removed=gone
        )


def _compare_items(path: str, before: list[View], after: list[View]) -> Iterator[FieldChange]:
    if not before and not after:
        yield FieldChange(path=path, after=[], added=True)
        return
    if all("name" in one for one in (*before, *after)):
        old, new = _by_name(before), _by_name(after)
        for name, number in dict.fromkeys((*old, *new)):
            yield from _compare(f"{path}[{name}]", old.get((name, number)), new.get((name, number)))
        return
    kept, wanted = set(map(canonical_json, before)), set(map(canonical_json, after))
    for one in before:
        if canonical_json(one) not in wanted:
            yield from _compare(f"{path}[*]", one, None)
    for one in after:
        if canonical_json(one) not in kept:
            yield from _compare(f"{path}[*]", None, one)


def _by_name(items: list[View]) -> dict[tuple[str, int], View]:
    """Return the items by name; one may stand twice, as of a variable, so that they are counted."""
    counts: Counter[str] = Counter()
    named: dict[tuple[str, int], View] = {}
    for one in items:
        name = str(one["name"])
        named[name, counts[name]] = one
        counts[name] += 1
    return named


def _join(path: str, key: str) -> str:
    return f'{path}["{key}"]' if "." in key or "/" in key else f"{path}.{key}"


def _view(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _view(each) for key, each in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, Mapping) and "name" in one for one in value):
            return {f"[{one['name']}]": _view(one) for one in value}
        return [_view(one) for one in value]
    return value


def _put(view: View, path: str, value: Any) -> None:
    """Set what a path leads to, making what is missing on the way; None takes it away."""
    *way, last = split_path(path)
    for step in way:
        below = view.get(step)
        if not isinstance(below, dict):
            below = view[step] = {}
        view = below
    if value is None:
        view.pop(last, None)
    else:
        view[last] = _view(value)
