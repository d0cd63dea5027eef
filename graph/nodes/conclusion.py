"""The end of a run: verify what was applied, then write the report. In this order, always."""

from dataclasses import dataclass
from typing import Any

from langgraph.runtime import Runtime

from graph.cluster.verification import Verifier, doubt
from graph.domain.incident import Ending, Verification
from graph.domain.languages import Language
from graph.domain.proposal import Approval
from graph.nodes.journal import Journal
from graph.ports import ApprovalLedger, Contribution, IncidentLedger, ReportAuthor
from graph.proposals.planning import undo_candidate
from graph.report import render_report
from graph.state import IncidentState, RunContext
from tools.off_loop import run_off_loop
from tools.redaction.redactor import redact, redact_text

Update = dict[str, Any]


@dataclass(frozen=True)
class Conclusion:
    """The nodes that judge and report."""

    incidents: IncidentLedger
    approvals: ApprovalLedger
    verifier: Verifier
    author: ReportAuthor | None = None
    """Adds to reports; None where there is no model."""
    language: Language = "en"

    async def verify_fix(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Verify the applied change against the cluster."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("verify_fix", "verifying")
        approval = await self.approvals.find(state.approval_id)
        if approval.status != "applied":  # somebody has altered the database since it was
            return {"ending": Ending(status="handed_over", reason=approval.outcome)}
        proposal = approval.proposal
        verification = doubt(await self.verifier.verify(proposal, journal.checked), approval.deviation)
        update = await self._weigh(state, approval, verification)
        if proposal.purpose == "undo":  # the incident's verdict is about its fixes
            return update
        await self.incidents.set_verification(state.incident_id, journal.epoch, verification)
        return {"verdict": verification.verdict, **update}

    async def generate_report(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Write the report from the ledger's facts, and end the incident; a model may add to it."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("generate_report")
        ending = state.ending
        assert ending is not None, "routing leads here with an ending only"
        ending = Ending.model_validate(redact(ending.model_dump()))  # a model's words, or the API server's
        case = await self.incidents.case_file(state.incident_id)
        added = Contribution(state.memory)
        if self.author:
            added = await self.author.contribute(case, ending, state.memory)
            await journal.contributed(added)
        written = await run_off_loop(render_report, case, ending, self.language, added.prose)
        report = await run_off_loop(redact_text, written)  # people's words are in it, too
        await self.incidents.finish(state.incident_id, journal.epoch, ending, report)
        return {"report": report, "memory": added.memory}

    async def _weigh(self, state: IncidentState, approval: Approval, verification: Verification) -> Update:
        """Return what the verdict means for the run."""
        reason, proposal = verification.reason, approval.proposal
        if approval.deviation:  # no further write to what somebody changes on the way
            return {"ending": Ending(status="handed_over", reason=reason, advice=_unpick(approval))}
        if verification.verdict == "undetermined":
            advice = "Look at the workload yourself: mendgate couldn't tell whether the change helped."
            return {"ending": Ending(status="handed_over", reason=reason, advice=(advice,))}
        if proposal.purpose == "undo":
            done = "was taken back" if verification.verdict == "verified" else "could not be taken back"
            return {
                "ending": Ending(
                    status="unresolved", reason=f"the change {done}: {state.failed_attempts[-1]}"
                )
            }
        if verification.verdict == "verified":
            return {"ending": Ending(status="resolved", reason=reason)}
        why = f"{proposal.summary} was applied, but it didn't help: {reason}"
        evidence = await self.incidents.evidence(state.incident_id)
        return {
            "steps": 0,
            "rechecks": 0,
            "evidence_from": len(evidence),
            "failed_attempts": (*state.failed_attempts, why),
            "undo": undo_candidate(proposal.undo_plan, state.undo),
            "undo_first": bool(verification.refused),
        }


def _unpick(approval: Approval) -> tuple[str, ...]:
    """Return what a person does about a write that isn't what was approved."""
    proposal = approval.proposal
    look = (
        f"Compare {proposal.target} with the approved diff, and find out who changed it: a mutating "
        "admission webhook or policy (kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies), "
        "or another client (kubectl get --show-managed-fields)."
    )
    if proposal.undo_plan.call is None:
        return (look, f"Then take back by hand what nobody approved; {approval.deviation}")
    command = proposal.undo_plan.call.as_command()
    return (
        look,
        f"To take back what was approved, and only that: {command}",
        f"That leaves what nobody approved; take it back by hand: {approval.deviation}",
    )
