"""Where a value stands in one piece of evidence: in a field of an object, or on a line of text."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graph.diagnosis import Evidence, Origin
from graph.new_values import NewValue, flatten

_PLACE_CHARACTERS = 200
_DISTINCT_CHARACTERS = 4
_REVISIONS = frozenset({"ReplicaSet", "ControllerRevision"})
_PORTS = frozenset({"port", "containerPort", "targetPort", "number"})
_PORT_WORDS = r"ports?|listen(s|ing)?|bind(s|ing)?|bound|addr(ess)?|https?|tcp|grpc|serv(er|ing|es)"
_MISSING = re.compile(
    r"not found|failed to pull|back-?off pulling|pull access denied|manifest unknown|couldn't find"
    r"|does(n't| not) exist|no such",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}")


@dataclass(frozen=True)
class Sighting:
    """One place that holds a value, in words."""

    origin: Origin
    place: str

    @classmethod
    def on_line(cls, line: str, value: NewValue, origin: Origin, where: str = "") -> "Sighting | None":
        """Return the sighting of a value on a line of text, or None if the line doesn't vouch for it."""
        spelled = spell(value.value)
        if not spelled.strip() or spelled not in line or _MISSING.search(line):
            return None
        if not _word(spelled).search(line) or not (is_distinct(value) or _speaks_of(line, value, spelled)):
            return None
        return cls(origin, f"{where}{' '.join(line.split())[:_PLACE_CHARACTERS]}")


@dataclass(frozen=True)
class Document:
    """One object, as a tool answered it."""

    content: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its kind, if it has one."""
        return str(self.content.get("kind") or "object")

    @property
    def name(self) -> str:
        """Kind and name, as `Service/web`."""
        metadata = self.content.get("metadata")
        return f"{self.kind}/{metadata.get('name')}" if isinstance(metadata, dict) else self.kind

    @property
    def origin(self) -> Origin:
        """What a value in it is worth."""
        return "event" if self.kind == "Event" else "revision" if self.kind in _REVISIONS else "object"

    def lacks(self, value: NewValue) -> bool:
        """Whether it has the same container, or whatever named item it is, without this field."""
        named = next((place for place, step in enumerate(value.steps) if step.startswith("[")), None)
        around = value.steps[: named + 1] if named is not None and named + 1 < len(value.steps) else ("spec",)
        return _has(self.content, around) and not _has(self.content, value.steps)

    def sightings(self, value: NewValue) -> Iterator[Sighting]:
        """Yield the fields that hold a value, and the lines of its texts."""
        spelled = spell(value.value)
        if value.field == "key":
            yield from self._keys(spelled)
        for leaf in flatten((), self.content, names=True, keep=lambda one: spelled in spell(one)):
            if _holds(leaf, value):
                same_place = leaf.keys == value.keys
                origin = self.origin if same_place or self.origin == "event" else "object"
                yield Sighting(origin, f"{self.name}, {leaf.path}"[:_PLACE_CHARACTERS])
            elif isinstance(leaf.value, str):
                for line in leaf.value.splitlines():
                    origin = "event" if self.kind == "Event" else "object"
                    if found := Sighting.on_line(line, value, origin, f"{self.name}, {leaf.path}: "):
                        yield found

    def _keys(self, spelled: str) -> Iterator[Sighting]:
        """Yield where a key of a ConfigMap has this name."""
        for part in ("data", "binaryData"):
            held = self.content.get(part)
            if isinstance(held, dict) and spelled in held:
                yield Sighting("object", f"{self.name}, {part}.{spelled}"[:_PLACE_CHARACTERS])


def sightings_in(piece: Evidence, value: NewValue, documents: Sequence[Document]) -> Iterator[Sighting]:
    """Yield where a piece of evidence, which is these documents or else text, holds a value."""
    if value.value is None or spell(value.value) not in piece.text:
        return
    for document in documents:
        yield from document.sightings(value)
    if piece.arguments.get("output") == "name":
        yield from _listed(piece.text, value)
    elif not documents:
        origin: Origin = "log" if piece.tool in {"kubectl_logs", "pods_log"} else "text"
        for line in piece.text.splitlines():
            if found := Sighting.on_line(line, value, origin):
                yield found


def _listed(text: str, value: NewValue) -> Iterator[Sighting]:
    """Yield where a list of `kind/name` has a name that the value refers to."""
    if _is_reference(value.field):
        for line in text.splitlines():
            if line.strip().partition("/")[2] == spell(value.value):
                yield Sighting("object", f"{line.strip()} exists"[:_PLACE_CHARACTERS])


def documents_of(piece: Evidence) -> tuple[Document, ...]:
    """Return the objects that a piece is, or none if it is text."""
    if not piece.text.lstrip().startswith("{"):
        return ()
    try:
        answer = json.loads(piece.text)
    except (ValueError, RecursionError):
        return ()
    items = answer.get("items")
    found = items if isinstance(items, list) else [answer]
    return tuple(Document(item) for item in found if isinstance(item, dict))


def is_distinct(value: NewValue) -> bool:
    """Whether a value could hardly stand somewhere by chance."""
    text = value.value
    if not isinstance(text, str) or len(text) < _DISTINCT_CHARACTERS or re.fullmatch(r"[\d.]+", text):
        return False
    return bool(re.search(r"[./:_@-]", text) or (re.search(r"\d", text) and re.search(r"[A-Za-z]", text)))


def whole_word(text: str) -> re.Pattern[str]:
    """Return a pattern for a text that isn't a part of a longer word.

    These characters belong to one word in image references and names: nginx:1.25 isn't in nginx:1.25-
    """
    return re.compile(rf"(?<![\w.:/@-]){re.escape(text)}(?![\w:/@-]|\.\w)")


def _word(spelled: str) -> re.Pattern[str]:
    if spelled.isdecimal():  # a port stands behind a colon, and before a path
        return re.compile(rf"(?<![\w.-]){spelled}(?![\w-]|\.\d)")
    return whole_word(spelled)


def _has(content: Any, steps: tuple[str, ...]) -> bool:
    for step in steps:
        if isinstance(content, list):
            items = (one for one in content if isinstance(one, dict) and f"[{one.get('name')}]" == step)
            content = next(items, None)
        else:
            content = content.get(step) if isinstance(content, dict) else None
        if content is None:
            return False
    return True


def spell(value: Any) -> str:
    """Return a scalar as evidence spells it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(leaf: NewValue, value: NewValue) -> bool:
    if isinstance(leaf.value, bool) != isinstance(value.value, bool):
        return False
    if spell(leaf.value) != spell(value.value):
        return False
    return _is_akin(leaf, value) or (is_distinct(value) and not _is_reference(value.field))


def _is_akin(leaf: NewValue, value: NewValue) -> bool:
    """Whether two fields mean the same."""
    if _is_reference(value.field):
        return _is_reference(leaf.field)
    if value.field in _PORTS:
        return leaf.field in _PORTS or (leaf.field == "name" and "ports" in leaf.keys)
    is_object_name = leaf.keys == ("metadata", "name")
    return leaf.field == value.field or (value.steps[-1] == "value" and is_object_name)


def _is_reference(field: str) -> bool:
    return field == "name" or field.endswith("Name")


def _speaks_of(line: str, value: NewValue, spelled: str) -> bool:
    """Whether a line is about the field: it has a word of its name beside the value."""
    names = {value.field, *_WORDS.findall(value.field)}
    if isinstance(value.value, bool) or len(spelled) == 1:
        field, word = re.escape(value.field), re.escape(spelled)
        return bool(re.search(rf"(?<![\w-]){field}[\"']?\s*[:=]\s*[\"']?{word}(?!\w)", line, re.IGNORECASE))
    words = "|".join(map(re.escape, names - {""}))
    if value.field in _PORTS or value.field.upper().endswith("PORT"):
        words = f"{words}|{_PORT_WORDS}"
    if value.field == "name":
        words = "|".join(map(re.escape, _WORDS.findall(" ".join(value.keys[-2:-1])))) or "name"
    rest = _word(spelled).sub(" ", line)
    return bool(re.search(rf"(?<![A-Za-z])({words})(?![A-Za-z])", rest, re.IGNORECASE))
