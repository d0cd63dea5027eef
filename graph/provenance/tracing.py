"""Where the values of a patch come from, found by comparing them with the evidence: nobody is asked.

A text that could hardly stand there by chance (`nginx:1.25`, `512Mi`, `/healthz`) may stand in any field or
line, as a whole word. A number, a truth value, a short or plain word stands everywhere: it counts only in a
field of the same meaning, or on a line that speaks of the field. A line that complains that something is
missing is no source for it. A removed field is traced where an older revision does without it.
"""

from collections.abc import Iterable, Sequence
from time import thread_time

from graph.domain.alerts.payload import AlertGroup
from graph.domain.changes.new_values import NewValue
from graph.domain.diagnosis import Evidence, Grounding, Origin, Trace
from graph.domain.proposal import Risk
from graph.provenance.evidence_index import ALERT, EvidenceIndex
from tools.errors import MendgateError

__all__ = ["ALERT", "TooManyValues", "describe_traces", "find_traces", "is_guess", "restored", "weigh"]
MOST_VALUES = 300
BEFORE = "what the object had before the change that is taken back"
_RANKS: tuple[Origin, ...] = ("revision", "object", "event", "log", "text", "alert")
_RAISED: dict[Risk, Risk] = {"low": "medium", "medium": "high", "high": "high"}
_NOWHERE = "a guess: it stands nowhere in the evidence"
_PARTLY = "a guess: it wasn't found, and there is more evidence than is searched"
_TOO_LATE = "a guess: the search took too long and was given up"
_SHOWN = 5
# of computing, as a last resort: the other bounds keep a search to a second or two
_MOST_SECONDS = 10.0


class TooManyValues(MendgateError):
    """A change sets more values than can be traced, or than anybody would review one by one."""


def find_traces(
    values: Iterable[NewValue], evidence: Sequence[Evidence], alert: AlertGroup | None = None
) -> tuple[Trace, ...]:
    """Return where each value comes from: the best source, of those the latest. Raises `TooManyValues`.

    It takes seconds at worst, so that it doesn't belong on the event loop. What wasn't found within the
    bounds is a guess.
    """
    values = tuple(values)
    count = sum(not value.by_server for value in values)
    if count > MOST_VALUES:
        raise TooManyValues(
            f"the patch sets {count} values, and {MOST_VALUES} are traced to the evidence at most: "
            "propose a smaller change"
        )
    until = thread_time() + _MOST_SECONDS
    known = EvidenceIndex(evidence, alert, sharers=count)
    return tuple(_trace_to(value, known, until) for value in values)


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


def _trace_to(value: NewValue, known: EvidenceIndex, until: float) -> Trace:
    if value.by_server:
        return _trace(value, "server", place="the API server's own default or admission")
    if thread_time() > until:
        return _trace(value, "none", place=_TOO_LATE)
    found = known.absences(value) if value.removed else known.sightings(value)
    best = min(found, key=lambda one: _RANKS.index(one.sighting.origin), default=None)
    if best is None:
        return _trace(value, "none", place=_PARTLY if known.is_cut else _NOWHERE)
    return _trace(value, best.sighting.origin, best.evidence, best.sighting.place)


def _trace(value: NewValue, origin: Origin, evidence: str = "", place: str = "") -> Trace:
    return Trace(path=value.path, value=value.value, origin=origin, evidence=evidence, place=place)


def _show(trace: Trace) -> str:
    return f"`{str(trace.value)[:200]}`" if trace.value is not None else f"the removal of {trace.path}"
