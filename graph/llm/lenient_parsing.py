"""Reads JSON and YAML that a stranger wrote into plain JSON values.

Size and depth are bounded; aliases (a few lines of which can stand for gigabytes), tags, and repeated keys
are refused. YAML's plain words are read as JSON reads them: `yes`, `12:30` and `2026-01-01` are texts.
"""

import json
import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from tools.errors import MendgateError

_MOST_CHARACTERS = 20_000
_MOST_DEPTH = 40
_TOO_LARGE = 2**63
_NUMBER = r"-?(?:0|[1-9][0-9]*)"


class Unusable(MendgateError):
    """An answer can't be used; the message is what the model is told back."""


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases can't be used")
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError("tags can't be used")
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {_MOST_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if any(not isinstance(key, str) for key in keys):
            raise yaml.YAMLError("a key is no text")
        _require_unique(keys)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("int", _NUMBER, "-0123456789"),
    ("float", rf"{_NUMBER}(?:\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^{_pattern}$"), list(_first))


def load(text: str) -> Any:
    """Return the JSON or YAML document that a text is. Raises `Unusable`."""
    if len(text) > _MOST_CHARACTERS:
        raise Unusable(f"the answer has {len(text)} characters; {_MOST_CHARACTERS} are read at most")
    try:
        return _cleaned(_load_json(text))
    except RecursionError as error:
        raise Unusable(f"the answer is nested more than {_MOST_DEPTH} deep") from error
    except ValueError:
        return _cleaned(_load_yaml(text))


def _load_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique)


def _load_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a safe loader, and stricter
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or error
        raise Unusable(f"the answer is neither JSON nor YAML{where}: {str(what)[:200]}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _require_unique([key for key, _ in pairs])
    return dict(pairs)


def _require_unique(keys: list[Any]) -> None:
    if len(keys) != len(set(keys)):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unusable(f"the key {twice[:80]!r} stands there twice")


def _cleaned(value: Any, depth: int = 0) -> Any:
    """Return a value that every database can store: no NULs, lone surrogates or infinities."""
    if depth > _MOST_DEPTH:
        raise Unusable(f"the answer is nested more than {_MOST_DEPTH} deep")
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise Unusable("a number is too large to be stored")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unusable(f"there is no number {value} in JSON")
    return value.encode("utf-8", "replace").decode().replace("\0", "") if isinstance(value, str) else value
