"""The report: Markdown, written from the ledger's facts alone.

It says "resolved" only where the verdict is `verified`. Text that comes from the cluster is shown as data:
in code spans and fences that it can't break out of.
"""

import json
from datetime import datetime
from typing import Any

from graph.diagnosis import Evidence
from graph.incident import CaseFile, Ending
from graph.markdown import code, escape, fence, table
from graph.proposal import Approval

_OUTCOMES = {
    "resolved": "Resolved: the fix was applied and verified against the cluster",
    "unresolved": "Not resolved: a change was applied, but the cluster doesn't show that it helped",
    "no_action": "No action: nothing to fix was found",
    "handed_over": "Handed over: a person must act",
    "rejected": "Rejected, and nothing was changed",
    "expired": "Expired, and nothing was changed",
    "withdrawn": "Withdrawn: the alert resolved before anything was changed",
    "failed": "Failed: the run could not be completed",
}
_EXCERPT_CHARACTERS = 800


def render_report(case: CaseFile, ending: Ending) -> str:
    """Return the incident's report."""
    sections = (
        ("Overview", _overview(case, ending)),
        ("Problem", _problem(case)),
        ("Investigation", _investigation(case)),
        ("Root cause", _root_cause(case)),
        ("Solution", _solution(case)),
        ("Verification", _verification(case)),
        ("Prevention", _prevention(case)),
        ("Summary", _summary(case, ending)),
    )
    told = [(title, body) for title, body in sections if body]
    chapters = [f"## {number}. {title}\n\n{body}" for number, (title, body) in enumerate(told, 1)]
    return "\n\n".join([f"# Incident report: {escape(case.incident.alertname)}", *chapters]) + "\n"


def _overview(case: CaseFile, ending: Ending) -> str:
    incident = case.incident
    instances = [alert.labels.get("pod") for alert in case.group.alerts]
    rows = [
        ("Incident", incident.id),
        ("Alert", incident.alertname),
        ("Severity", incident.severity),
        ("Target", str(incident.target) if incident.target else "none named"),
        ("Affected", ", ".join(name for name in instances if name) or "see the alert's labels"),
        ("First fired", _at(case.group.first_fired_at())),
        ("Received", _at(incident.created_at)),
        ("Closed", _at(_closed_at(case))),
        ("Outcome", _outcome(case, ending)),
        ("Verdict", incident.verdict or "none: no change was applied"),
    ]
    return table(("Item", "Detail"), [(item, escape(detail)) for item, detail in rows])


def _problem(case: CaseFile) -> str:
    said = {
        alert.annotations.get("description") or alert.annotations.get("summary") or alert.name: None
        for alert in case.group.alerts
    }
    count = len(case.group.alerts)
    rules = ", ".join(dict.fromkeys(code(alert.name) for alert in case.group.alerts))
    lines = [f"{count} alert{'s' if count != 1 else ''} of {rules} fired:", ""]
    rows = [
        (code(one.name), escape(one.labels.get("pod", "-")), _at(one.starts_at), one.status)
        for one in case.group.alerts
    ]
    told = "\n".join(lines + [f"- {escape(text)}" for text in said])
    missing = max((entry.data.get("truncated", 0) for entry in case.timeline), default=0)
    left_out = f"Alertmanager left out {missing} more (its `max_alerts`)." if missing else ""
    return "\n\n".join(filter(None, [told, left_out, table(("Alert", "Pod", "Since", "State"), rows)]))


def _investigation(case: CaseFile) -> str:
    if not case.evidence:
        return "The cluster was not asked anything."
    rows = [
        (
            piece.id,
            code(f"{piece.source} {json.dumps(piece.arguments, ensure_ascii=False)}"),
            f"{'error' if piece.is_error else 'ok'}, {len(piece.text)} characters",
            _at(piece.at),
        )
        for piece in case.evidence
    ]
    cited = case.incident.diagnosis.evidence if case.incident.diagnosis else ()
    shown = [_excerpt(piece) for piece in case.evidence if piece.id in cited and _is_prose(piece.text)]
    return "\n\n".join([table(("Id", "Call", "Answer", "When"), rows), *shown])


def _excerpt(piece: Evidence) -> str:
    cut = "\n…" if len(piece.text) > _EXCERPT_CHARACTERS else ""
    return f"What {piece.id} says:\n\n{fence(piece.text[:_EXCERPT_CHARACTERS] + cut)}"


def _is_prose(text: str) -> bool:
    """Whether a person would read it: whole objects as JSON are for the runbooks."""
    return not text.lstrip().startswith(("{", "["))


def _root_cause(case: CaseFile) -> str:
    diagnosis = case.incident.diagnosis
    if diagnosis is None:
        return "No root cause was established."
    cited = "".join(f" [{name}]" for name in sorted(diagnosis.evidence, key=lambda name: int(name[1:])))
    where = escape(", ".join(str(target) for target in diagnosis.root_causes) or "none named")
    caveat = " These are its words, not facts from the cluster." if diagnosis.source == "model" else ""
    return (
        f"**{escape(diagnosis.summary)}**{cited}\n\n{escape(diagnosis.cause)}\n\n"
        f"Found by a {diagnosis.source}, confidence {diagnosis.confidence}; objects: {where}.{caveat}"
    )


def _solution(case: CaseFile) -> str:
    if not case.approvals:
        return "No change was proposed; the cluster was not changed."
    shown = "\n\n".join(_show_approval(number, item) for number, item in enumerate(case.approvals, 1))
    changed = any(approval.status == "applied" for approval in case.approvals)
    unsure = any(approval.status in {"unknown", "executing"} for approval in case.approvals)
    if unsure:
        verdict = "Whether the cluster was changed is not known."
    else:
        verdict = "" if changed else "The cluster was not changed."
    return f"{shown}\n\n{verdict}".rstrip()


def _show_approval(number: int, approval: Approval) -> str:
    proposal = approval.proposal
    decisions = [
        (escape(decision.by), decision.verdict, escape(decision.reason or "-"), _at(decision.at))
        for decision in approval.decisions
    ]
    decided = table(("Who", "Decision", "Reason", "When"), decisions) if decisions else "Nobody decided."
    diff = "\n".join(str(change) for change in proposal.diff)
    standing = approval.status in {"applied", "executing", "unknown"}
    undo = f"\n\nTo take it back: {code(proposal.undo_plan.summary)}" if standing else ""
    status = f"{approval.status}" + (f" ({escape(approval.outcome)})" if approval.outcome else "")
    return (
        f"### Proposal {number}: {escape(proposal.summary)}\n\n"
        f"- Approval {code(approval.id)}, digest {code(approval.digest)}\n"
        f"- Status: {status}\n"
        f"- Target: {escape(str(proposal.target))}, risk {proposal.risk}\n"
        f"- Where the value comes from: {escape(proposal.basis)} ({proposal.grounding})\n\n"
        f"{fence(proposal.arguments.as_command(), 'bash')}\n\n{fence(diff)}\n\n{decided}{undo}"
    )


def _verification(case: CaseFile) -> str:
    done = case.incident.verification
    if done is None:
        return "Nothing was applied, so there was nothing to verify."
    words = {True: "held", False: "failed", None: "couldn't be read"}
    rows = [(code(check.predicate), words[check.held], escape(check.detail)) for check in done.checks]
    return (
        f"Verdict: **{done.verdict}**: {escape(done.reason)}\n\n"
        f"{table(('Check', 'At the last look', 'Detail'), rows)}\n\n"
        f"{done.looks} looks from {_at(done.started_at)} to {_at(done.ended_at)}; "
        f"stable for {done.stable_seconds:g} s at the end."
    )


def _prevention(case: CaseFile) -> str:
    diagnosis = case.incident.diagnosis
    if diagnosis is None or not diagnosis.prevention:
        return ""
    return "\n".join(f"- {escape(item)}" for item in diagnosis.prevention)


def _summary(case: CaseFile, ending: Ending) -> str:
    lines = [f"{_outcome(case, ending)}: {escape(ending.reason)}"]
    if ending.advice:
        lines += ["", "What to do now:", "", *(f"- {escape(item)}" for item in ending.advice)]
    return "\n".join(lines)


def _outcome(case: CaseFile, ending: Ending) -> str:
    if ending.status == "resolved" and case.incident.verdict != "verified":
        return "Not resolved: the verdict isn't `verified`"
    return _OUTCOMES[ending.status]


def _closed_at(case: CaseFile) -> datetime:
    return case.timeline[-1].at if case.timeline else case.incident.updated_at


def _at(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
