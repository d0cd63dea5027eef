"""What the tools have answered so far: found by the call that was made, and parsed with distrust."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from graph.domain.diagnosis import Evidence, ReadCall
from tools.errors import MendgateError
from tools.mcp.results import ToolResult
from tools.text.plain_text import shorten

_QUOTE_LIMIT = 300
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
Document = TypeVar("Document", bound=BaseModel)
T = TypeVar("T")


class UnreadableEvidence(MendgateError):
    """An answer isn't what its tool should return; `evidence` is its id."""

    def __init__(self, evidence: str, why: str) -> None:
        self.evidence = evidence
        super().__init__(f"the answer {evidence} can't be read: {why}")


@dataclass(frozen=True)
class Sourced(Generic[T]):
    """Something known, and the id of the evidence that says so."""

    evidence: str
    value: T


class Answers:
    """All evidence of a case. The latest answer to a call counts."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = evidence

    def find(self, call: ReadCall) -> Evidence | None:
        """Return the answer to a call, errors included, or None if it wasn't made yet."""
        return next(
            (
                answer
                for answer in reversed(self._evidence)
                if (answer.server, answer.tool, answer.arguments) == (call.server, call.tool, call.arguments)
            ),
            None,
        )

    def unasked(self, calls: Sequence[ReadCall]) -> tuple[ReadCall, ...]:
        """Return those of the calls that weren't made yet."""
        return tuple(call for call in calls if self.find(call) is None)

    def read(self, call: ReadCall, model: type[Document]) -> Sourced[Document] | None:
        """Return what a call answered, or None if it answered an error. Raises UnreadableEvidence."""
        answer = self.find(call)
        if answer is None or answer.is_error:
            return None
        try:
            return Sourced(answer.id, model.model_validate_json(answer.text))
        except ValidationError as error:
            raise UnreadableEvidence(answer.id, _explain(call, error)) from error

    def read_text(self, call: ReadCall) -> Sourced[str] | None:
        """Return the text of an answer, or None if it answered an error or wasn't asked."""
        answer = self.find(call)
        return None if answer is None or answer.is_error else Sourced(answer.id, answer.text)

    def read_names(self, call: ReadCall) -> Sourced[tuple[str, ...]] | None:
        """Return the names that a call listed, without their kind; None if it answered an error."""
        found = self.read_text(call)
        if found is None:
            return None
        lines = (line.strip() for line in found.value.splitlines())
        return Sourced(found.evidence, tuple(line.partition("/")[2] for line in lines if "/" in line))


def list_gaps(evidence: Sequence[Evidence]) -> Iterator[Sourced[str]]:
    """Yield each kind of which no list could be read, once, and why."""
    told: set[str] = set()
    for piece in evidence:
        kind = str(piece.arguments.get("resourceType", ""))
        if piece.is_error and "name" not in piece.arguments and kind not in told:
            told.add(kind)
            yield Sourced(piece.id, f"the {kind} ({quote_error(piece)})")


def quote_error(answer: Evidence) -> str:
    """Return what an error says, with its id: the message alone where a tool answered with a document."""
    said = ToolResult(answer.text, is_error=True).message
    return f"{quote(said)} [{answer.id}]"


def quote(text: str) -> str:
    """Return a foreign text as one printable line of at most 300 characters; its end is kept."""
    line = _UNPRINTABLE.sub(" ", shorten(text, 4 * _QUOTE_LIMIT)).strip()
    return shorten(line, _QUOTE_LIMIT)


def _explain(call: ReadCall, error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, fault["loc"])) or "the whole"
    return quote(f"{call.tool} of {call.arguments.get('resourceType')}: {place}: {fault['msg']}")
