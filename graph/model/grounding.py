"""Where a proposed value comes from, found by comparing texts: the model isn't asked."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graph.diagnosis import Evidence, Grounding
from graph.proposal import Risk

# A name of a list's element addresses it and is no new value; so do JSON patch's own words.
_ADDRESSING = frozenset({"name", "op", "path", "from", "$patch"})
_SHOWN = 5
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Ground:
    """What the evidence says of a patch's values, in words, with the ids of the pieces that hold them."""

    grounding: Grounding
    basis: str
    risk: Risk
    evidence: tuple[str, ...]


def find_ground(patch: Any, evidence: Sequence[Evidence]) -> Ground:
    """Return whether every new value of a patch stands, as a whole word, in what the tools answered."""
    found = {value: _find_holder(value, evidence) for value in _values(patch)}
    holders = tuple(dict.fromkeys(holder for holder in found.values() if holder))
    missing = [_show(value) for value, holder in found.items() if holder is None]
    if missing or not found:
        words = ", ".join(missing[:_SHOWN]) or "what the patch does"
        basis = f"{words} stands nowhere in the evidence: it is the model's own word."
        return Ground("guess", basis, "high", holders)
    shown = "; ".join(
        f"{_show(value)} stands in [{holder}]" for value, holder in list(found.items())[:_SHOWN]
    )
    return Ground("evidence", f"{shown}. The model chose it.", "medium", holders)


def _values(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if not (key in _ADDRESSING and isinstance(value, str)):
                yield from _values(value)
    elif isinstance(document, list):
        for item in document:
            yield from _values(item)
    elif document is not None:
        yield str(document).lower() if isinstance(document, bool) else str(document)


def _find_holder(value: str, evidence: Sequence[Evidence]) -> str | None:
    """Return the latest piece that holds a value; an empty value stands nowhere."""
    if not value.strip():
        return None
    # These characters belong to one word in image references and names: nginx:1.25 isn't in nginx:1.25-
    pattern = re.compile(rf"(?<![\w.:/@-]){re.escape(value)}(?![\w:/@-]|\.\w)")
    pieces = (piece for piece in reversed(evidence) if not piece.is_error)
    return next((piece.id for piece in pieces if pattern.search(piece.text)), None)


def _show(value: str) -> str:
    return f"`{value[:_SHOWN_CHARACTERS]}`"
