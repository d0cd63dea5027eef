"""Objects made fit for a reader's eyes: no bookkeeping, no credentials, no more than fits.

200 KB is far above what one object or one namespace's pods take, and far below what would stall a model call.
"""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from tools.kubernetes.client import Object
from tools.redaction.redactor import redact

LIMIT_CHARACTERS = 200_000
_STRING_LIMIT = 4_000
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _BlockDumper(yaml.SafeDumper):
    """Writes a certificate or a script as one would by hand."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _write_text)


def clean(found: Object) -> Object:
    """Return a copy without credentials, managedFields and kubectl's copy of the manifest."""
    metadata = {key: value for key, value in found.get("metadata", {}).items() if key != "managedFields"}
    if LAST_APPLIED in (metadata.get("annotations") or {}):
        kept = {key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED}
        metadata["annotations"] = kept
    cleaned: Object = redact({**found, "metadata": metadata})
    return cleaned


def to_json(document: Any) -> str:
    """Return indented JSON."""
    return json.dumps(document, indent=1, ensure_ascii=False)


def to_yaml(document: Any) -> str:
    """Return YAML, keys in their own order and texts of several lines as blocks."""
    text: str = yaml.dump(document, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True)
    return text


def show_object(found: Object, *, as_yaml: bool) -> str:
    """Return one object whole, or with its long texts cut where it would be too large."""
    write = to_yaml if as_yaml else to_json
    text = write(found)
    return text if len(text) <= LIMIT_CHARACTERS else cut(write(_shorten(found)))


def show_list(items: Sequence[Object], *, as_yaml: bool) -> str:
    """Return `{"items": [...]}`; where that would be too large, `truncated` says how many were left out."""
    write = to_yaml if as_yaml else to_json
    room, shown = LIMIT_CHARACTERS - 1_000, []
    for item in items:
        # nesting indents every line of an item
        text = write(item)
        room -= len(text) + 2 * text.count("\n") + 4
        if room < 0:
            break
        shown.append(item)
    if len(shown) == len(items):
        return write({"items": shown})
    advice = "name one object, or narrow it with namespace, labelSelector or fieldSelector"
    return write(
        {"items": shown, "truncated": f"{len(items) - len(shown)} of {len(items)} left out: {advice}"}
    )


def cut(text: str, *, keep_end: bool = False) -> str:
    """Return a text that fits, with a line that says what is missing; of a log the end matters."""
    missing = len(text) - LIMIT_CHARACTERS
    if missing <= 0:
        return text
    note = f"[truncated: {missing} characters left out]"
    return f"{note}\n{text[missing:]}" if keep_end else f"{text[:LIMIT_CHARACTERS]}\n{note}"


def _shorten(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _shorten(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_shorten(item) for item in document]
    if isinstance(document, str) and len(document) > _STRING_LIMIT:
        return f"{document[:_STRING_LIMIT]} [truncated: {len(document) - _STRING_LIMIT} characters left out]"
    return document
