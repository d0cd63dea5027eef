"""An incident's progress, as the steps that people know."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graph.domain.incident import ACTIVE, Entry, Incident

State = Literal["done", "current", "failed", "ahead", "skipped"]
_STEP_OF = {
    "receive_alert": "Alert",
    "analyze_root_cause": "Diagnosis",
    "run_tool": "Diagnosis",
    "propose_fix": "Proposal",
    "await_approval": "Approval",
    "apply_fix": "Change",
    "verify_fix": "Check",
    "generate_report": "Report",
}
_STEPS = tuple(dict.fromkeys(_STEP_OF.values()))


@dataclass(frozen=True)
class Step:
    """One step, its state, and how often it was entered."""

    name: str
    state: State
    times: int


def find_steps(incident: Incident, timeline: Sequence[Entry]) -> tuple[Step, ...]:
    """Return all steps in order; a run may go back, so the last step entered is the current one."""
    entered = [name for entry in timeline if (name := _find_step(entry))]
    # a diagnosis goes back and forth between its two nodes
    arrivals = [name for place, name in enumerate(entered) if place == 0 or entered[place - 1] != name]
    times = Counter(arrivals)
    here = _STEPS.index(arrivals[-1]) if arrivals else 0
    return tuple(
        Step(name, _find_state(incident, place, here, times[name]), times[name])
        for place, name in enumerate(_STEPS)
    )


def _find_step(entry: Entry) -> str | None:
    """Return the step that a line begins. A proposal begins the wait for approval, which has no own line."""
    return "Approval" if entry.kind == "proposed" else _STEP_OF.get(str(entry.data.get("node")))


def _find_state(incident: Incident, place: int, here: int, times: int) -> State:
    if incident.status in ACTIVE:
        return "current" if place == here else "done" if place < here else "ahead"
    if incident.status == "failed" and place == here:
        return "failed"
    return "done" if times else "skipped"
