"""Text that every database can keep. Postgres refuses NUL, and UTF-8 half a surrogate pair; both come in.

Logs, alerts and requests bring them. They become U+FFFD, the sign for what couldn't be shown.
"""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def make_storable(document: Any) -> Any:
    """Return a text or a JSON document with every text in it such as can be stored."""
    if isinstance(document, str):
        return _UNSTORABLE.sub("\ufffd", document)
    if isinstance(document, dict):
        return {make_storable(key): make_storable(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return type(document)(make_storable(item) for item in document)
    return document


def cut(text: str, length: int) -> str:
    """Return a text no longer than a column takes; what was cut off shows as `…`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
