"""What an API server warns about while it does what it was asked: `Warning:` headers (RFC 7234, code 299).

The text is data from the cluster, admission webhooks included: cleaned, without credentials, and bounded.
"""

import re
from collections.abc import Iterable, Sequence

from tools.redaction.redactor import redact_text
from tools.text.plain_text import make_plain

_MOST, _LONGEST = 10, 300
# Kubernetes sends at most 4096 characters of warnings with one answer
_MOST_READ = 8192
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_IGNORED = re.compile(r'\b(?:unknown|duplicate) field "')


def read_warnings(headers: Iterable[str]) -> tuple[str, ...]:
    """Return the texts of an answer's `Warning` headers, each once, at most ten of at most 300 characters."""
    joined = ", ".join(headers)[:_MOST_READ]
    texts = (_clean(_ESCAPED.sub(r"\1", found[1])) for found in _WARNING.finditer(joined))
    return tuple(dict.fromkeys(text for text in texts if text))[:_MOST]


def find_ignored(warnings: Sequence[str]) -> str:
    """Return the warnings that a part of the request was ignored, in one text; empty where none was."""
    return "; ".join(text for text in warnings if _IGNORED.search(text))


def _clean(text: str) -> str:
    line = redact_text(" ".join(make_plain(text).split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
