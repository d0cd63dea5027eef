"""All the evidence in a form that values are looked up in: read once, however many values there are.

Whoever writes a log, an object or a patch decides how much there is to search, so that everything is bounded:
characters and fields that are read, and lines that are looked at for one value. What lies beyond a bound
counts for nothing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

from graph.domain.alerts.payload import AlertGroup
from graph.domain.changes.new_values import NewValue, flatten
from graph.domain.diagnosis import Evidence, Origin
from graph.provenance.evidence_search import (
    PLACE_CHARACTERS,
    Document,
    Occurrence,
    documents_of,
    holds,
    is_reference,
    origin_of_text,
    spell,
)
from graph.provenance.revisions import Revision
from tools.mcp.toolbox import OWN_SERVER

ALERT = "alert"
_MOST_CHARACTERS = 2_000_000
_MOST_ALERT_CHARACTERS = 200_000
_MOST_FIELDS = 100_000
_MOST_REVISIONS = 50
_FIELDS_PER_VALUE = 1_000
# nobody reads a longer one: it is a program's output, and holds everything
_LONGEST_LINE = 10_000
_CHARACTERS_LOOKED_AT = 6_000_000
_LEAST_SHARE = 20_000
_COST_OF_A_LINE = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A sighting, and the id of the evidence that has it."""

    evidence: str
    sighting: Occurrence


@dataclass(frozen=True, slots=True)
class _Field:
    """A scalar of an object."""

    evidence: str
    document: Document
    leaf: NewValue

    def vouch(self, value: NewValue) -> Occurrence | None:
        if not holds(self.leaf, value):
            return None
        origin = self.document.origin_of(self.leaf.keys)
        if origin == "revision" and self.leaf.keys != value.keys:
            origin = "object"
        return Occurrence(origin, f"{self.document.name}, {self.leaf.path}"[:PLACE_CHARACTERS])


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of text that stand together; `field` where they are an object's."""

    evidence: str
    origin: Origin
    field: _Field | None = None

    @property
    def where(self) -> str:
        return f"{self.field.document.name}, {self.field.leaf.path}: " if self.field else ""


class EvidenceIndex:
    """The evidence, the latest first, and the alert after all of it. Errors say nothing about values.

    `sharers` is how many values will be looked up. `is_cut` says whether there was more than is read.
    """

    def __init__(self, evidence: Sequence[Evidence], alert: AlertGroup | None, sharers: int) -> None:
        self._fields: dict[str, list[_Field]] = defaultdict(list)
        self._keys: dict[str, list[Found]] = defaultdict(list)
        self._listed: dict[str, list[Found]] = defaultdict(list)
        self._revisions: list[Revision] = []
        self._seen: set[object] = set()
        self._blocks: list[_Block] = []
        self._parts: list[str] = []
        self._room = _MOST_FIELDS
        self._share = max(_LEAST_SHARE, _CHARACTERS_LOOKED_AT // max(1, sharers))
        usable = [piece for piece in reversed(evidence) if not piece.is_error]
        sizes = accumulate(len(piece.text) for piece in usable)
        read = [piece for piece, size in zip(usable, sizes, strict=True) if size <= _MOST_CHARACTERS]
        self.is_cut = len(read) < len(usable)
        for piece in read:
            self._add(piece)
        self._add_alerts(alert)
        self._starts = list(accumulate((len(part) + 1 for part in self._parts), initial=0))
        self._text = "\n".join(self._parts)

    def sightings(self, value: NewValue) -> Iterator[Found]:
        """Yield what vouches for a value: fields, names in lists, and lines."""
        spelled = spell(value.value)
        if value.field == "key":
            yield from self._keys.get(spelled, ())
        for field in islice(self._fields.get(spelled, ()), _FIELDS_PER_VALUE):
            if sighting := field.vouch(value):
                yield Found(field.evidence, sighting)
        if is_reference(value.field):
            yield from self._listed.get(spelled, ())
        yield from self._lines(spelled, value)

    def absences(self, value: NewValue) -> Iterator[Found]:
        """Yield the older revisions that do without a field."""
        for revision in self._revisions:
            if revision.lacks(value):
                yield Found(
                    revision.evidence, Occurrence(revision.origin, f"{revision.name} does without it")
                )

    def _lines(self, spelled: str, value: NewValue) -> Iterator[Found]:
        """Yield the lines that vouch for a value, as long as its share lasts."""
        room = self._share if spelled.strip() else 0
        at = self._text.find(spelled)
        while at >= 0 and room > 0:
            start = self._text.rfind("\n", 0, at) + 1
            end = self._text.find("\n", at) % (len(self._text) + 1)  # the last line ends with the text
            room -= _COST_OF_A_LINE + end - start
            if end - start <= _LONGEST_LINE:
                block = self._blocks[bisect_right(self._starts, start) - 1]
                line = self._text[start:end]
                if sighting := Occurrence.on_line(line, value, block.origin, block.where):
                    yield Found(block.evidence, sighting)
            at = self._text.find(spelled, end)
        self.is_cut = self.is_cut or at >= 0

    def _add(self, piece: Evidence) -> None:
        documents = documents_of(piece)
        for document in documents:
            self._add_document(piece, document)
        if piece.arguments.get("output") == "name":
            self._add_list(piece)
        elif not documents:
            self._add_text(piece.text, _Block(piece.id, origin_of_text(piece)))

    def _add_document(self, piece: Evidence, document: Document) -> None:
        if document.is_revision and len(self._revisions) < _MOST_REVISIONS:
            self._revisions.append(Revision(piece.id, document))
        self._add_keys(piece, document)
        for leaf in islice(flatten((), document.content, names=True), self._room):
            self._room -= 1
            self._add_field(_Field(piece.id, document, leaf))
        self.is_cut = self.is_cut or self._room == 0

    def _add_keys(self, piece: Evidence, document: Document) -> None:
        """Add the keys of a ConfigMap: they are names that values refer to."""
        for part in ("data", "binaryData"):
            held = document.content.get(part)
            for key in islice(held if isinstance(held, dict) else (), _FIELDS_PER_VALUE):
                place = f"{document.name}, {part}.{key}"[:PLACE_CHARACTERS]
                self._keys[key].append(Found(piece.id, Occurrence(document.origin, place)))

    def _add_field(self, field: _Field) -> None:
        """Add a field, unless a later one of the same name holds the same."""
        leaf, origin = field.leaf, field.document.origin_of(field.leaf.keys)
        spelled = spell(leaf.value)
        mark = (isinstance(leaf.value, bool), spelled, leaf.keys, leaf.field, origin)
        if leaf.value is None or mark in self._seen:
            return
        self._seen.add(mark)
        self._fields[spelled].append(field)
        if isinstance(leaf.value, str) and (origin, spelled) not in self._seen:
            self._seen.add((origin, spelled))
            told: Origin = "event" if origin == "event" else "text"
            self._add_text(leaf.value, _Block(field.evidence, told, field))

    def _add_list(self, piece: Evidence) -> None:
        """Add the names of a list of `kind/name`."""
        for line in map(str.strip, piece.text.splitlines()):
            origin: Origin = "object" if piece.server == OWN_SERVER else "text"
            found = Found(piece.id, Occurrence(origin, f"{line} exists"[:PLACE_CHARACTERS]))
            self._listed[line.partition("/")[2]].append(found)

    def _add_alerts(self, alert: AlertGroup | None) -> None:
        room = _MOST_ALERT_CHARACTERS
        for one in alert.alerts if alert else ():
            for name, text in {**one.annotations, **one.labels}.items():
                line = " ".join(f"{name}: {text}".split())
                if line in self._seen:
                    continue
                room -= len(line)
                if room < 0:
                    self.is_cut = True
                    return
                self._seen.add(line)
                self._add_text(line, _Block(ALERT, "alert"))

    def _add_text(self, text: str, block: _Block) -> None:
        self._blocks.append(block)
        self._parts.append("\n".join(text.splitlines()))
