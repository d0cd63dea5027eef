"""Field paths as a policy writes them: `spec.template.spec.containers[*].image`.

A policy's field covers what is below it, too. A leaf of the floor is one field alone: `.*` at its end is any
one key of a map, `.**` all that is below it.
"""

import re
from collections.abc import Iterable
from functools import cache

_PATTERN = re.compile(r"spec(\.[A-Za-z]+(\[\*\])?)+")
_ITEM = r"\[[^\]]+\]"
_KEY = r'(\.[^.\[\]]+|\["[^"]+"\])'


def is_pattern(text: str) -> bool:
    """Whether a text is a field path that a policy can name."""
    return _PATTERN.fullmatch(text) is not None


def covers(pattern: str, path: str) -> bool:
    """Whether a path, of a diff or of another pattern, is the pattern's field or lies below it."""
    return _compile(pattern).fullmatch(path) is not None


def is_one_of(leaves: Iterable[str], path: str) -> bool:
    """Whether a path, of a diff or of a pattern, is one of these leaves."""
    return any(_compile_leaf(leaf).fullmatch(path) for leaf in leaves)


def holds_any(path: str, leaves: Iterable[str]) -> bool:
    """Whether one of these leaves is at or below a path, of a diff or of a pattern."""
    above = re.sub(_ITEM, "[*]", path)
    return any(covers(above, leaf) for leaf in leaves)


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\[\*\]", _ITEM) + r"([.\[].*)?", re.DOTALL)


@cache
def _compile_leaf(leaf: str) -> re.Pattern[str]:
    stem, below = (leaf.removesuffix(".**"), r"([.\[].*)?") if leaf.endswith(".**") else (leaf, "")
    if not below and leaf.endswith(".*"):
        stem, below = leaf.removesuffix(".*"), _KEY
    return re.compile(re.escape(stem).replace(r"\[\*\]", _ITEM) + below, re.DOTALL)
