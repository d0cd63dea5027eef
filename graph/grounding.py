"""Where the values of a patch come from, found by comparing them with the evidence: nobody is asked.

A text that could hardly stand there by chance (`nginx:1.25`, `512Mi`, `/healthz`) may stand in any field or
line, as a whole word. A number, a truth value, a short or plain word stands everywhere: it counts only in a
field of the same meaning, or on a line that speaks of the field. A line that complains that something is
missing is no source for it. A removed field is traced where an older revision does without it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from graph.alerts import AlertGroup
from graph.diagnosis import Evidence, Grounding, Origin, Trace
from graph.new_values import NewValue
from graph.proposal import Risk
from graph.sightings import Document, Sighting, documents_of, sightings_in

ALERT = "alert"
BEFORE = "what the object had before the change that is taken back"
_RANKS: tuple[Origin, ...] = ("revision", "object", "event", "log", "text", "alert")
_RAISED: dict[Risk, Risk] = {"low": "medium", "medium": "high", "high": "high"}
_NOWHERE = "a guess: it stands nowhere in the evidence"
_SHOWN = 5
# what is older counts for nothing: a search without bounds would hold everything up
_MOST_CHARACTERS = 2_000_000


def find_traces(
    values: Iterable[NewValue], evidence: Sequence[Evidence], alert: AlertGroup | None = None
) -> tuple[Trace, ...]:
    """Return where each value comes from: the best source, of those the latest."""
    known = _Known(evidence, alert)
    return tuple(known.trace(value) for value in values)


def restored(values: Iterable[NewValue]) -> tuple[Trace, ...]:
    """Return the traces of a change that gives an object back what it had."""
    return tuple(_trace(value, "before", place=BEFORE) for value in values)


def is_guess(traces: Sequence[Trace]) -> bool:
    """Whether any value is a guess, or there is none that could be traced."""
    return not traces or any(trace.is_guess for trace in traces)


def weigh(declared: Grounding, risk: Risk, traces: Sequence[Trace]) -> tuple[Grounding, Risk]:
    """Return what a proposal is grounded on, and its risk.

    A guess raises the risk, where the mind hadn't said itself that it guesses, and priced it in.
    """
    estimated = declared in {"guess", "estimate"}
    if is_guess(traces) or declared == "guess":
        return "guess", max(risk, "medium", key=tuple(_RAISED).index) if estimated else _RAISED[risk]
    return ("evidence" if estimated else declared), risk


def describe_traces(traces: Sequence[Trace]) -> str:
    """Return in one or two sentences what is a guess, or else where the values stand."""
    if guesses := [_show(trace) for trace in traces if trace.is_guess]:
        return f"{', '.join(guesses[:_SHOWN])} stands nowhere in the evidence: it is a guess."
    found = [f"{_show(trace)} stands in [{trace.evidence}]" for trace in traces if trace.evidence]
    return f"{'; '.join(found[:_SHOWN])}." if found else "Nothing that could be traced is set: it is a guess."


class _Known:
    """The evidence, each piece read once, the latest first. Errors say nothing about values."""

    def __init__(self, evidence: Sequence[Evidence], alert: AlertGroup | None) -> None:
        usable = [piece for piece in reversed(evidence) if not piece.is_error]
        sizes = accumulate(len(piece.text) for piece in usable)
        self._pieces = [piece for piece, size in zip(usable, sizes, strict=True) if size <= _MOST_CHARACTERS]
        self._documents: dict[str, tuple[Document, ...]] = {}
        self._alert = alert

    def trace(self, value: NewValue) -> Trace:
        if value.by_server:
            return _trace(value, "server", place="the API server's own default or admission")
        found = self._absences(value) if value.removed else self._sightings(value)
        best = min(found, key=lambda one: _RANKS.index(one[1].origin), default=None)
        if best is None:
            return _trace(value, "none", place=_NOWHERE)
        return _trace(value, best[1].origin, best[0], best[1].place)

    def _sightings(self, value: NewValue) -> Iterator[tuple[str, Sighting]]:
        for piece in self._pieces:
            for sighting in sightings_in(piece, value, self._read(piece)):
                yield piece.id, sighting
        for alert in self._alert.alerts if self._alert else ():
            for name, text in {**alert.annotations, **alert.labels}.items():
                if told := Sighting.on_line(f"{name}: {text}", value, "alert"):
                    yield ALERT, told

    def _absences(self, value: NewValue) -> Iterator[tuple[str, Sighting]]:
        for piece in self._pieces:
            for document in self._read(piece):
                if document.origin == "revision" and document.lacks(value):
                    yield piece.id, Sighting("revision", f"{document.name} does without it")

    def _read(self, piece: Evidence) -> tuple[Document, ...]:
        if piece.id not in self._documents:
            self._documents[piece.id] = documents_of(piece)
        return self._documents[piece.id]


def _trace(value: NewValue, origin: Origin, evidence: str = "", place: str = "") -> Trace:
    return Trace(path=value.path, value=value.value, origin=origin, evidence=evidence, place=place)


def _show(trace: Trace) -> str:
    return f"`{str(trace.value)[:200]}`" if trace.value is not None else f"the removal of {trace.path}"
