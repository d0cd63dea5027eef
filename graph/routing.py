"""Where a run goes next: pure functions of its state."""

from typing import Literal

from graph.state import IncidentState


def after_receive(state: IncidentState) -> Literal["analyze_root_cause", "generate_report"]:
    """Investigate, unless the alert itself says that there is nothing to investigate."""
    return "generate_report" if state.ending else "analyze_root_cause"


def after_analysis(
    state: IncidentState,
) -> Literal["run_tool", "propose_fix", "analyze_root_cause", "generate_report"]:
    """Look further, propose, look again after a while, or end."""
    if state.ending:
        return "generate_report"
    if state.pending_calls:
        return "run_tool"
    return "propose_fix" if state.candidate else "analyze_root_cause"


def after_proposal(
    state: IncidentState,
) -> Literal["await_approval", "analyze_root_cause", "generate_report"]:
    """Wait for a person, think again if the proposal was no good, or end."""
    if state.ending:
        return "generate_report"
    return "await_approval" if state.approval_id else "analyze_root_cause"


def after_approval(
    state: IncidentState,
) -> Literal["await_approval", "apply_fix", "analyze_root_cause", "generate_report"]:
    """Keep waiting, apply, think again after a rejection, or end."""
    if state.ending:
        return "generate_report"
    if state.standing is None:
        return "await_approval"
    return "analyze_root_cause" if state.standing in {"rejected", "superseded"} else "apply_fix"


def after_apply(
    state: IncidentState,
) -> Literal["verify_fix", "await_approval", "analyze_root_cause", "generate_report"]:
    """Verify what was applied, wait where a stop keeps it, propose afresh after drift, or end."""
    if state.ending or state.outcome is None:
        return "generate_report"
    match state.outcome.kind:
        case "applied":
            return "verify_fix"
        case "refused" | "held":
            return "await_approval"
        case _:
            return "analyze_root_cause"


def after_verification(state: IncidentState) -> Literal["analyze_root_cause", "generate_report"]:
    """Report, or think again about a fix that didn't help."""
    return "generate_report" if state.ending else "analyze_root_cause"
