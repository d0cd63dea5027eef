"""Values as Go prints them (`%+v`): the API server quotes a patch that it can't take in this form."""

from typing import Any


def write_go(value: Any) -> str:
    """Return a JSON value as Go prints it, with the keys of maps in order."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{write_go(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(write_go, value))}]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
    return str(value)
