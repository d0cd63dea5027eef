"""What a run writes down as it goes: the lines that a person follows live, and the report is made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.runtime import Runtime

from graph.domain.diagnosis import DiagnosisStep, HandOver, ProposePatch, ReadCall, Source
from graph.domain.incident import Check, IncidentStatus
from graph.gitops.unapplied_changes import UnappliedChange
from graph.ports import Contribution, IncidentLedger
from graph.state import IncidentState, RunContext


@dataclass(frozen=True)
class Journal:
    """The timeline of one run's incident."""

    incidents: IncidentLedger
    incident_id: str
    epoch: int

    @classmethod
    def of(cls, incidents: IncidentLedger, state: IncidentState, runtime: Runtime[RunContext]) -> "Journal":
        """Return the journal of the run that this node works for."""
        # a server that was given no context passes None
        epoch = runtime.context.epoch if runtime.context else RunContext().epoch
        return cls(incidents, state.incident_id, epoch)

    async def enter(self, node: str, status: IncidentStatus | None = None) -> None:
        """Note that a node of the graph begins, and how the incident stands now (None: as before)."""
        data = {"node": node}
        await self.incidents.record(self.incident_id, self.epoch, "node_entered", data, status=status)

    async def reasoned(self, decided: DiagnosisStep) -> None:
        """Note what the mind chose to do next, why, and what it took; its diagnosis is the incident's now."""
        data: dict[str, Any] = {
            "reason": decided.step.reason,
            "decision": decided.step.step,
            "source": decided.source,
        }
        if remembered := decided.memory.model_dump(exclude_defaults=True):
            data["model"] = remembered
        if decided.prompt:
            data["prompt"] = decided.prompt
        if decided.complaints:
            data["complaints"] = list(decided.complaints)
        diagnosis = decided.step.diagnosis if isinstance(decided.step, ProposePatch | HandOver) else None
        await self.incidents.record(self.incident_id, self.epoch, "reasoned", data, diagnosis=diagnosis)

    async def calls(self, call: ReadCall) -> None:
        """Note that a read-only tool is about to be called."""
        data = {
            "server": call.server,
            "tool": call.tool,
            "arguments": call.arguments,
            "reason": call.reason,
        }
        await self.incidents.record(self.incident_id, self.epoch, "tool_called", data)

    async def checked(self, checks: Sequence[Check]) -> None:
        """Note what verification saw, each time the picture changed."""
        data = {"checks": [check.model_dump() for check in checks]}
        await self.incidents.record(self.incident_id, self.epoch, "checked", data)

    async def contributed(self, added: Contribution) -> None:
        """Note what a model added to the report; nothing where it wasn't asked."""
        if not added.note:
            return
        data = {
            "reason": added.note,
            "decision": "write_report",
            "source": "model",
            "model": added.memory.model_dump(exclude_defaults=True),
            "prompt": added.prompt,
        }
        await self.incidents.record(self.incident_id, self.epoch, "reasoned", data)

    async def not_proposed(self, change: UnappliedChange, source: Source, *, goes_on: bool) -> None:
        """Note a change that is known and isn't ours to make; `source` is whose diagnosis it follows from."""
        data = {**change.model_dump(mode="json"), "reason": change.why, "source": source, "goes_on": goes_on}
        await self.incidents.record(self.incident_id, self.epoch, "not_proposed", data)

    async def failed(self, reason: str) -> None:
        """Note what didn't work; the run goes on."""
        await self.incidents.record(
            self.incident_id, self.epoch, "error", {"reason": reason, "goes_on": True}
        )
