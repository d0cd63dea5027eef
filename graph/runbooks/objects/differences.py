"""The merge patch that turns one JSON document into another."""

from collections.abc import Mapping
from typing import Any


def find_difference(now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that makes `now` what `then` is: null deletes, lists are replaced."""
    patch: dict[str, Any] = {key: None for key in now if key not in then}
    for key, value in then.items():
        present = now.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            if inner := find_difference(present, value):
                patch[key] = inner
        elif present != value or key not in now:
            patch[key] = value
    return patch
