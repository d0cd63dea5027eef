"""The audit as a chain: each row is sealed over its content and the seal of the row before it.

The seal is HMAC-SHA256 with a key that isn't in the database. Whoever can write to the database can't make
one, so that a row that was altered, taken out, moved or put in shows, whatever else was altered with it.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from graph.domain.proposal import canonical_json

MOST_FAULTS = 100
FaultKind = Literal["rewritten", "missing", "cut", "forked"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Head(_Frozen):
    """The newest row of a chain."""

    seq: int
    mac: str


@dataclass(frozen=True)
class Link:
    """One row exactly as it is stored: what is sealed are texts, so that no database can respell them.

    `at` is an ISO 8601 instant in UTC, `document` JSON. `previous` is the seal of the row before (of the
    first: empty), `mac` the row's own.
    """

    seq: int
    at: str
    actor: str
    action: str
    incident_id: str | None
    approval_id: str | None
    document: str
    previous: str
    mac: str = ""

    @property
    def head(self) -> Head:
        """The row as a chain's newest."""
        return Head(seq=self.seq, mac=self.mac)

    @property
    def instant(self) -> datetime:
        """When it was written."""
        return datetime.fromisoformat(self.at)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a sealed row says; of another one the document may be anything."""
        facts: Mapping[str, Any] = json.loads(self.document)
        return facts

    def sealed(self, key: bytes) -> "Link":
        """Return the same row with its seal."""
        return replace(self, mac=self._seal(key))

    def is_sealed(self, key: bytes) -> bool:
        """Whether the seal is the one that this key gives to this content."""
        return hmac.compare_digest(_encode(self.mac), self._seal(key).encode())

    def _seal(self, key: bytes) -> str:
        *content, _ = astuple(self)
        # a database that was meddled with may hold a value of any type
        told = [one if one is None or isinstance(one, int | str) else repr(one) for one in content]
        return hmac.new(key, _encode(canonical_json(told)), hashlib.sha256).hexdigest()


class Fault(_Frozen):
    """One place where the chain doesn't hold.

    `rewritten`: the row isn't what was sealed. `missing`: rows before a later one are gone. `cut`: the
    newest rows are gone. `forked`: the row is sealed, and doesn't belong behind the one before it.
    """

    seq: int
    kind: FaultKind
    detail: str


class Verification(_Frozen):
    """What a look at the whole chain found; of many faults the first hundred.

    `remembered` is the newest row that is known from outside of the database, None if none is: then nobody
    can tell whether the newest rows were cut off.
    """

    intact: bool
    rows: int
    head: Head | None
    remembered: Head | None
    faults: tuple[Fault, ...]


class Inspection:
    """A walk along the chain, from its first row to its last."""

    def __init__(self, key: bytes, remembered: Head | None) -> None:
        self._key = key
        self._remembered = remembered
        self._faults: list[Fault] = []
        self._rows = 0
        self._head: Head | None = None
        self.is_sound = True
        """Whether the row that was looked at last bears its seal."""
        self.count = 0
        """How many faults there are so far."""
        self.latest = ""
        """What is wrong at the last of them, in words."""

    def follow(self, links: Iterable[Link]) -> None:
        """Look at the next rows."""
        for link in links:
            self._follow(link)

    def end(self) -> Verification:
        """Return what was found, the last row having been seen."""
        last = self._head.seq if self._head else 0
        if self._remembered and self._remembered.seq > last:
            gone = _rows(last + 1, self._remembered.seq)
            self._note(last + 1, "cut", f"{gone} gone from the end: row {self._remembered.seq} is remembered")
        return Verification(
            intact=not self._faults,
            rows=self._rows,
            head=self._head,
            remembered=self._remembered,
            faults=tuple(self._faults[:MOST_FAULTS]),
        )

    def _follow(self, link: Link) -> None:
        before = self._head or Head(seq=0, mac="")
        is_sealed = link.is_sealed(self._key)
        if link.seq > before.seq + 1:
            self._note(before.seq + 1, "missing", f"{_rows(before.seq + 1, link.seq - 1)} gone")
        elif is_sealed and self.is_sound and link.previous != before.mac:
            self._note(link.seq, "forked", f"row {link.seq} was written behind another row than {before.seq}")
        if not is_sealed:
            self._note(link.seq, "rewritten", f"row {link.seq} was altered, or the service didn't write it")
        elif self._contradicts_memory(link):
            self._note(link.seq, "forked", f"row {link.seq} isn't the one that is remembered")
        self._rows, self._head, self.is_sound = self._rows + 1, link.head, is_sealed

    def _contradicts_memory(self, link: Link) -> bool:
        known = self._remembered
        return known is not None and known.seq == link.seq and known.mac != link.mac

    def _note(self, seq: int, kind: FaultKind, detail: str) -> None:
        self.count, self.latest = self.count + 1, detail
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(seq=seq, kind=kind, detail=detail))


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _encode(text: object) -> bytes:
    return str(text).encode(errors="surrogatepass")
