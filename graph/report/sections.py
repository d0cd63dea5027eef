"""How an incident was handled: what was read, what was proposed and decided, and what the cluster showed."""

import json

from graph.cluster.causal_chain import CausalChain
from graph.domain.changes.headline import draw_headline
from graph.domain.diagnosis import Evidence
from graph.domain.incident import CaseFile, Check, Entry, Verification
from graph.domain.markdown import at, bullets, code, code_block, sentence, table, text
from graph.domain.proposal import Approval
from graph.gitops.unapplied_changes import UnappliedChange
from graph.report.commands import as_command
from graph.report.standing_out import list_telling_lines, read_chain
from graph.report.texts import Words
from tools.kubernetes.diff import FieldChange

_MOST_LOOKS = 20


def show_diagnosis(case: CaseFile, words: Words) -> str:
    """Return the calls that the diagnosis rests on, with what stands out in their answers."""
    if not case.evidence:
        return words("asked_nothing")
    reasons = _reasons(case)
    cited = _cited(case)
    shown = [piece for piece in case.evidence if piece.id in cited] or list(case.evidence[:1])
    chain = read_chain(case)
    steps = [_show_step(number, piece, chain, reasons, words) for number, piece in enumerate(shown, 1)]
    if rest := len(case.evidence) - len(shown):
        steps.append(words("other_calls", count=rest))
    return "\n\n".join(steps)


def _cited(case: CaseFile) -> set[str]:
    diagnosed = case.incident.diagnosis.evidence if case.incident.diagnosis else ()
    traced = (trace.evidence for approval in case.approvals for trace in approval.proposal.traces)
    return {*diagnosed, *traced}


def _reasons(case: CaseFile) -> dict[str, str]:
    """Return why each call was made: its line in the timeline stands right before its answer's."""
    reasons, last = dict[str, str](), ""
    for entry in case.timeline:
        if entry.kind == "tool_called":
            last = str(entry.data.get("reason", ""))
        elif entry.kind == "tool_answered":
            reasons[str(entry.data.get("evidence", ""))] = last
    return reasons


def _show_step(
    number: int, piece: Evidence, chain: CausalChain, reasons: dict[str, str], words: Words
) -> str:
    reason = sentence(reasons.get(piece.id, "") or piece.tool)
    lines = list_telling_lines(piece, chain)
    found = f"\n\n{words('stands_out')}\n\n{code_block(chr(10).join(lines))}" if lines else ""
    return f"**{number}.** {reason} [{piece.id}]\n\n{code_block(as_command(piece), 'bash')}{found}"


def show_repair(case: CaseFile, words: Words) -> str:
    """Return every proposal with its diff, where its values come from, and each decision."""
    parts = [_show_approval(number, one, words) for number, one in enumerate(case.approvals, 1)]
    unapplied = [_show_unapplied(entry, words) for entry in case.timeline if entry.kind == "not_proposed"]
    return "\n\n".join([*(parts or [words("no_change")]), *unapplied])


def _show_unapplied(entry: Entry, words: Words) -> str:
    """Return a change that is known and was not proposed, since it isn't ours to make."""
    change = UnappliedChange.model_validate(entry.data)
    parts = [
        f"#### {words('not_applied', summary=text(draw_headline(change.target, change.changes)))}",
        words("not_applied_why", reason=text(change.why)),
        _show_diff(change.changes, words),
        words("more_changes", count=change.left_out) if change.left_out else "",
        words("not_applied_how"),
        code_block(change.command, "bash"),
        words("model_words") if entry.data.get("source") == "model" else "",
    ]
    return "\n\n".join(filter(None, parts))


def _show_approval(number: int, approval: Approval, words: Words) -> str:
    proposal = approval.proposal
    title = words(
        "undo_proposal" if proposal.purpose == "undo" else "proposal",
        number=number, summary=text(draw_headline(proposal.target, proposal.diff)),
    )  # fmt: skip
    status = words(f"approval_{approval.status}") + (
        f" ({text(approval.outcome)})" if approval.outcome else ""
    )
    facts = [
        words("approval", id=code(approval.id), digest=code(approval.digest)),
        words("status_line", status=status),
        words("target_line", target=text(proposal.target), risk=words(proposal.risk)),
        *(words("warning_line", warning=text(reason)) for reason in proposal.risk_reasons),
        words("basis_line", basis=text(proposal.basis), grounding=_grounding(approval, words)),
        *([words("guess_line")] if proposal.grounding == "guess" else []),
    ]
    parts = [
        f"#### {title}",
        bullets(facts),
        code_block(proposal.arguments.as_command(), "bash"),
        _show_diff(proposal.diff, words),
        _show_traces(approval, words),
        _show_decisions(approval, words),
    ]
    if approval.status in {"applied", "executing", "unknown"}:
        parts.append(words("undo_line", undo=code(proposal.undo_plan.summary)))
    return "\n\n".join(filter(None, parts))


def _grounding(approval: Approval, words: Words) -> str:
    grounding = approval.proposal.grounding
    return words("evidence_value" if grounding == "evidence" else grounding)


def _show_diff(diff: tuple[FieldChange, ...], words: Words) -> str:
    rows = [
        (
            code(change.path),
            words("absent") if change.added else code(_json(change.before)),
            words("removed") if change.removed else code(_json(change.after)),
        )
        for change in diff
    ]
    return table((words("field"), words("before"), words("after")), rows)


def _show_traces(approval: Approval, words: Words) -> str:
    rows = [
        (
            code(trace.path),
            words("removed") if trace.value is None else code(_json(trace.value)),
            text(trace.place) + (f" [{trace.evidence}]" if trace.evidence else ""),
        )
        for trace in approval.proposal.traces
    ]
    return table((words("field"), words("new_value"), words("comes_from")), rows) if rows else ""


def _show_decisions(approval: Approval, words: Words) -> str:
    if not approval.decisions:
        return words("nobody")
    rows = [
        (text(one.by), words(one.verdict), text(one.reason or "-"), at(one.at)) for one in approval.decisions
    ]
    return table((words("who"), words("decision"), words("reason"), words("when")), rows)


def show_verification(case: CaseFile, words: Words) -> str:
    """Return the verdict with each predicate, and how they came to hold."""
    done = case.incident.verification
    if done is None:
        return words("nothing_to_verify")
    states = {True: words("held"), False: words("missed"), None: words("unread")}
    rows = [(words(check.predicate), states[check.held], text(check.detail)) for check in done.checks]
    parts = [
        words("verdict_line", verdict=words(done.verdict), reason=explain(done, words)),
        table((words("check"), words("last_look"), words("detail")), rows) if rows else "",
        words(
            "looks", looks=done.looks, start=at(done.started_at), end=at(done.ended_at),
            seconds=f"{done.stable_seconds:g}",
        ),
        _show_course(case, words),
    ]  # fmt: skip
    return "\n\n".join(filter(None, parts))


def explain(done: Verification, words: Words) -> str:
    """Return why the verdict is what it is."""
    if done.verdict == "verified":
        return words("held_for", seconds=f"{done.stable_seconds:g}")
    return sentence(done.reason)


def _show_course(case: CaseFile, words: Words) -> str:
    looks = [entry for entry in case.timeline if entry.kind == "checked"][-_MOST_LOOKS:]
    rows = [
        (at(entry.at), _missing([Check.model_validate(one) for one in entry.data.get("checks", [])], words))
        for entry in looks
    ]
    if not rows:
        return ""
    return f"{words('course')}\n\n{table((words('when'), words('still_missing')), rows)}"


def _missing(checks: list[Check], words: Words) -> str:
    missing = [f"{words(check.predicate)}: {text(check.detail)}" for check in checks if not check.held]
    return "; ".join(missing) or words("all_held")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
