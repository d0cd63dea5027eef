"""Keeps secrets out of everything that leaves the reader, or is drawn from an object.

It goes by structure first: documents field by field, and documents within texts; then by the names of
secrets, by the shapes of well-known tokens, and by what looks drawn at random. The fence before it is the
reader's credential, which can't read Secrets. Where it errs it hides too much.
"""

import json
import re
from functools import lru_cache
from typing import Any

from tools.redaction.blocks import hide_blocks
from tools.redaction.fields import TOO_DEEP, RedactText, redact_fields
from tools.redaction.marks import REDACTED, blank, is_blanked
from tools.redaction.names import STEMS
from tools.redaction.phrases import SIGNS, hide_phrases
from tools.redaction.runs import has_run, hide_runs
from tools.redaction.shapes import has_sign, hide_shapes
from tools.redaction.texts import hide_named

__all__ = ["REDACTED", "blank", "is_blanked", "is_harmless", "redact", "redact_text"]
# what is escaped may be anything
_SIGNS = tuple(dict.fromkeys((*STEMS, *SIGNS, "\\u")))
_LOGIN = re.compile(r"[\w.-]:[^\s:@/\"'<>]{1,256}@")
_MOST_NESTED = 4
_SHORT = 1024
_MOST_MISSES = 50
_DOCUMENT = re.compile(r"\{(?=\s{0,20}\")|\[(?=\s{0,20}[{\[\"])")
_DECODER = json.JSONDecoder()


def is_harmless(text: str) -> bool:
    """Whether it is plain that nothing would be blanked, as in most texts; it costs a fraction of trying.

    Beyond ASCII nothing is plain: where case is ignored, other letters stand for `i`, `k` and `s`, too.
    """
    # labels and names come again with each alert
    return _is_short_harmless(text) if len(text) <= _SHORT else _is_harmless(text)


def _is_harmless(text: str) -> bool:
    if not text.isascii():
        return False
    lower = text.lower()
    if any(sign in lower for sign in _SIGNS):
        return False
    if "@" in text and ("://" in text or _LOGIN.search(text)):
        return False
    return not has_sign(text) and not has_run(text)


_is_short_harmless = lru_cache(maxsize=2048)(_is_harmless)


def redact_text(text: str) -> str:
    """Blank the secrets in running text, such as a log, or in a text that is a document."""
    return _redact_text(text, 0)


def redact(document: Any) -> Any:
    """Return a copy of a JSON document without secrets: what was blanked is named where the structure tells.

    Names of Secrets and references to them stay. What holds no secret comes back as it was.
    """
    return redact_fields(document, redact_text)


def _redact_text(text: str, depth: int) -> str:
    if is_harmless(text):
        return text

    def inner(part: str) -> str:
        return _redact_text(part, depth + 1) if depth < _MOST_NESTED else part

    if depth < _MOST_NESTED and text.lstrip()[:1] in {"{", "["}:
        try:
            return _redact_json(text, inner)
        except (ValueError, RecursionError):
            pass
    if depth < _MOST_NESTED:
        text = _redact_embedded(text, inner)
    return hide_runs(hide_blocks(hide_named(hide_phrases(hide_shapes(text)))), inner)


def _redact_embedded(text: str, inner: RedactText) -> str:
    """Blank the secrets of JSON documents in the midst of a text, such as a line of a log."""
    parts, done, misses = list[str](), 0, 0
    while misses < _MOST_MISSES and (match := _DOCUMENT.search(text, done)):
        start = match.start()
        try:
            document, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            misses, end = misses + 1, start + 1
            parts.append(text[done:end])
        else:
            parts.append(text[done:start] + _show_document(document, text[start:end], inner))
        done = end
    return "".join([*parts, text[done:]])


def _redact_json(text: str, inner: RedactText) -> str:
    return _show_document(json.loads(text), text, inner)


def _show_document(document: Any, text: str, inner: RedactText) -> str:
    """Return a document's text without secrets, and the mark for one that holds too many others."""
    try:
        redacted = redact_fields(document, inner)
    except RecursionError:
        return TOO_DEEP
    if redacted == document:
        return text
    return json.dumps(redacted, ensure_ascii=False, indent=1 if "\n" in text.strip() else None)
