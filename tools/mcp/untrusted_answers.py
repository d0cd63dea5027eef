"""What a server that somebody else wrote has answered, made fit to be read: no credentials, not too long.

Our own server redacts objects while it still knows their fields. A foreign one sends JSON, YAML or a table:
whatever can be read as a document is redacted as one, and all else as running text.
"""

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from tools.kubectl.trimming import LAST_APPLIED, LIMIT_CHARACTERS, cut, to_json, to_yaml
from tools.redaction.redactor import redact, redact_text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_YAML_LINE = re.compile(r"^(- )?[\w./\"'-]+:( |$)", re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """Loads plain documents only: a few lines of aliases can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias, and a tag that says what a text is; compose anything else."""
        if self.check_event(yaml.AliasEvent) or getattr(self.peek_event(), "tag", None) is not None:  # type: ignore[no-untyped-call]  # PyYAML's stubs
            raise yaml.YAMLError("aliases and tags aren't read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, *arguments: Any, **options: Any) -> dict[Hashable, Any]:
        """Refuse a key that comes twice: a log that looks like YAML must not lose lines."""
        mapping = super().construct_mapping(node, *arguments, **options)
        if len(mapping) < len(node.value):
            raise yaml.YAMLError("a key comes twice")
        return mapping


def clean_foreign(text: str, *, keep_end: bool = False) -> str:
    """Return an answer without control characters and credentials, cut to what fits (a log: its end)."""
    text = _CONTROLS.sub("", text)
    try:
        return cut(to_json(_redact(json.loads(text))), keep_end=keep_end)
    except (ValueError, RecursionError):
        return _clean_yaml(cut(text, keep_end=keep_end))


def _clean_yaml(text: str) -> str:
    """Return the text as it stands where it hides nothing: a table or a log isn't to be rewritten."""
    document = _load(text)
    redacted = _redact(document)
    return redact_text(text) if redacted == document else to_yaml(redacted)


def _load(text: str) -> Any:
    if not _YAML_LINE.search(text) or len(text) > LIMIT_CHARACTERS:
        return None
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError):  # odd keys and numbers too
        return None


def _redact(document: Any) -> Any:
    return redact(_strip(document))


def _strip(document: Any) -> Any:
    """Drop kubectl's copy of the manifest, a text itself."""
    if isinstance(document, dict):
        return {key: _strip(value) for key, value in document.items() if key != LAST_APPLIED}
    return [_strip(item) for item in document] if isinstance(document, list) else document
