"""The steps of a path to a field."""

import re

_STEP = re.compile(r"""\["([^"]+)"\]|\[([^\]]+)\]|([^.\[\]]+)""")


def split_path(path: str) -> tuple[str, ...]:
    """Return the steps to a field: keys as they are, the names of list items in brackets."""
    return tuple(f"[{item}]" if item else quoted or key for quoted, item, key in _STEP.findall(path))
