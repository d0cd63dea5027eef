"""The mark that stands where a credential was. People read in it what was blanked; code recognises it."""

import re
from typing import Any

REDACTED = "<redacted>"
_BEGINNING = REDACTED[:-1]
_MOST_CHARACTERS = 80
MARK = rf"{_BEGINNING}(?:: [\w ./:@~\[\]-]{{1,120}})?>"
"""A pattern for the mark, with or without what was blanked."""
_IS_MARK = re.compile(MARK)
_UNFIT = re.compile(r"[^\w ./:@~\[\]-]")


def blank(what: str = "") -> str:
    """Return the mark for what was blanked, such as `value of env DB_PASSWORD`; empty: it isn't known."""
    if not what or len(what) > _MOST_CHARACTERS or _UNFIT.search(what):
        return REDACTED
    return f"{_BEGINNING}: {what}>"


def is_mark(text: str) -> bool:
    """Whether a text is the mark and nothing else."""
    return _IS_MARK.fullmatch(text) is not None


def is_blanked(document: Any) -> bool:
    """Whether anything was blanked in a text or a JSON document: such a value must never be written back."""
    if isinstance(document, dict):
        return any(is_blanked(key) or is_blanked(value) for key, value in document.items())
    if isinstance(document, list | tuple):
        return any(is_blanked(one) for one in document)
    return isinstance(document, str) and _BEGINNING in document
