"""A changed field in words for people: one line, inert, of bounded length, and without credentials."""

import json
from typing import Any

from tools.kubernetes.diff import FieldChange
from tools.redaction.redactor import redact
from tools.text.field_path import split_path
from tools.text.plain_text import make_plain, shorten

ABSENT, REMOVED = "absent", "removed"
VALUE_CHARACTERS = 80
_POD = ("spec", "template", "spec")
_HOLDERS = {"containers": "container", "initContainers": "init container"}


def name_field(path: str) -> str:
    """Return a field's name as people call it: `image of container web` for a path of a diff."""
    steps = split_path(path)
    rest = steps[3:] if steps[:3] == _POD else steps[1:] if steps[:1] == ("spec",) else steps
    holder = ""
    if len(rest) > 1 and rest[0] in _HOLDERS and rest[1].startswith("["):
        holder, rest = f"{_HOLDERS[rest[0]]} {rest[1][1:-1]}", rest[2:]
    if rest[:1] == ("env",) and len(rest) > 1:
        below = [step for step in rest[2:] if step != "value"]
        rest = (f"variable {rest[1].strip('[]')}", *below)
    name = ".".join(rest).replace(".[", "[")
    found = f"{name} of {holder}" if name and holder else name or holder or path
    return _cut(found, 2 * VALUE_CHARACTERS)


def show_value(change: FieldChange, value: Any, most: int = VALUE_CHARACTERS) -> str:
    """Return one value of a change on one line of at most `most` characters."""
    shown = hide(change.path, value)
    return _cut(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False), most)


def show_change(change: FieldChange, most: int = VALUE_CHARACTERS) -> str:
    """Return a change as `field: before → after`, each value of at most `most` characters."""
    before = ABSENT if change.added else show_value(change, change.before, most)
    after = REMOVED if change.removed else show_value(change, change.after, most)
    return f"{name_field(change.path)}: {before} → {after}"


def hide(path: str, value: Any) -> Any:
    """Return a value without what looks secret, by the field it stands in or by itself."""
    return redact({"name": path, "value": value})["value"]


def _cut(text: str, most: int) -> str:
    return shorten(" ".join(make_plain(shorten(text, 10 * most)).split()), most)
