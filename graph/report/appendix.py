"""The records at a report's end: what nobody checked, what happened when, and what was read."""

import re
from collections.abc import Iterator

from graph.domain.incident import CaseFile, Entry, EntryKind
from graph.domain.markdown import at, bullets, code, table, text
from graph.report.commands import as_command
from graph.report.quoting import quote_mind
from graph.report.texts import Words

_LINES: dict[EntryKind, str] = {
    "alert_received": "at_alert", "alert_attached": "at_attached", "reminded": "at_reminded",
    "reasoned": "at_reasoned", "proposed": "at_proposed",
    "decided": "at_decided", "applying": "at_applying", "applied": "at_applied", "verdict": "at_verdict",
    "ended": "at_ended", "error": "at_error", "not_proposed": "at_not_proposed",
}  # fmt: skip
_EXISTENCE = re.compile(r"its registry has it$")


def show_unchecked(case: CaseFile, words: Words) -> str:
    """Return what a reader might take for known, and isn't."""
    return bullets(_unchecked(case, words))


def _unchecked(case: CaseFile, words: Words) -> Iterator[str]:
    if firing := sum(alert.status == "firing" for alert in case.group.alerts):
        yield words("unchecked_alert", count=firing)
    done = case.incident.verification
    for check in done.checks if done else ():
        if check.held is None:
            yield words("unchecked_predicate", predicate=words(check.predicate), detail=text(check.detail))
    for approval in case.approvals[-1:]:
        for trace in approval.proposal.traces:
            value, path = code(trace.value), code(trace.path)
            if trace.is_guess:
                yield words("unchecked_guess", value=value, path=path)
            if trace.path.endswith(".image") and trace.value and not _EXISTENCE.search(trace.place):
                yield words("unchecked_image", value=value)
        if approval.status not in {"applied", "executing", "unknown"}:
            yield words("unchecked_fix")
    yield words("unchecked_others")
    yield words("unchecked_impact")


def show_timeline(case: CaseFile, words: Words) -> str:
    """Return what happened when: decisions, changes and verdicts, not every call."""
    rows = [(at(entry.at), told) for entry in case.timeline if (told := _tell(entry, case, words))]
    return table((words("when"), words("event")), rows) if rows else ""


def _tell(entry: Entry, case: CaseFile, words: Words) -> str:
    """Return one line of the timeline, or an empty text for a line that only machines need."""
    facts: dict[str, str] = {name: text(value) for name, value in entry.data.items()}
    known = {
        "source": words(str(entry.data.get("source", "?"))),
        "step": words(str(entry.data.get("decision", "?"))),
        "reason": quote_mind(
            str(entry.data.get("reason", "")), case, words, by_model=entry.data.get("source") == "model"
        ),
        "summary": _headline(entry, case),
        "decision": words(str(entry.data.get("verdict", "?"))),
        "verdict": words(str(entry.data.get("verdict", "?"))),
        "by": facts.get("by", "?"),
        "outcome": words(f"approval_{entry.data.get('outcome', 'unknown')}"),
        "status": words(f"ended_{entry.data.get('status', 'failed')}"),
    }
    line = _LINES.get(entry.kind)
    return words(line, **known) if line else ""


def _headline(entry: Entry, case: CaseFile) -> str:
    """Return what the entry's proposal changes: by its diff, not by what was once written of it."""
    about = (one.proposal for one in case.approvals if one.id == entry.data.get("approval_id"))
    return text(next((proposal.summary for proposal in about), ""))


def show_evidence(case: CaseFile, words: Words) -> str:
    """Return every call with its id, whatever it answered."""
    if not case.evidence:
        return ""
    rows = [
        (
            piece.id,
            code(as_command(piece)),
            words("characters", state=words("error" if piece.is_error else "ok"), count=len(piece.text)),
            at(piece.at),
        )
        for piece in case.evidence
    ]
    return table((words("id"), words("call"), words("answer"), words("when")), rows)
