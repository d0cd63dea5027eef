"""Field paths as a policy writes them: `spec.template.spec.containers[*].image` means it and all below it."""

import re
from functools import cache

_PATTERN = re.compile(r"spec(\.[A-Za-z]+(\[\*\])?)+")


def is_pattern(text: str) -> bool:
    """Whether a text is a field path that a policy can name."""
    return _PATTERN.fullmatch(text) is not None


def covers(pattern: str, path: str) -> bool:
    """Whether a path, of a diff or of another pattern, is the pattern's field or lies below it."""
    return _compile(pattern).fullmatch(path) is not None


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\[\*\]", r"\[[^\]]+\]") + r"([.\[].*)?", re.DOTALL)
