"""The second half of a run: propose one exact change, wait for a person, have it applied. One gate each."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graph.diagnosis import Candidate
from graph.identifiers import new_id
from graph.incident import Ending
from graph.interrupts import describe_pause
from graph.journal import Journal
from graph.planning import Windows, plan_restoration, plan_undo, plan_verification
from graph.policy import VERSION, refuse_call, refuse_change
from graph.ports import Actuator, ApprovalLedger, IncidentLedger, Observer
from graph.proposal import Approval, Proposal
from graph.state import IncidentState, RunContext
from graph.targets import Target
from tools.errors import AlertmendError, ClusterError, ClusterUnreachable
from tools.executor import Outcome, Preview
from tools.patch import APPROVAL_ANNOTATION

Update = dict[str, Any]
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Remediation:
    """The nodes around the gate. `actuator` is None where no write credential is configured."""

    incidents: IncidentLedger
    approvals: ApprovalLedger
    observer: Observer
    actuator: Actuator | None
    windows: Windows = field(default_factory=Windows)
    most_rounds: int = 3

    async def propose_fix(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Turn the candidate into a previewed proposal that a person can decide on."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("propose_fix")
        candidate = state.candidate
        assert candidate is not None, "routing leads here with a candidate only"
        if self.actuator is None:
            why = "no write credential is configured (ALERTMEND_WRITE_KUBECONFIG), so nothing can be applied"
            return {"ending": _handed_over(why, candidate)}
        if state.rounds >= self.most_rounds and candidate.purpose == "fix":
            return {"ending": _handed_over(f"{state.rounds} proposals didn't settle it", candidate)}
        tried: Update = {
            "rounds": state.rounds + 1,
            "tried": (*state.tried, candidate.call),
            "approval_id": "",
        }
        approval_id = new_id("apr")
        try:
            preview = await _preview(self.actuator, candidate, approval_id)
        except Refused as refusal:
            await journal.failed(str(refusal))
            return {**tried, "setbacks": (*state.setbacks, str(refusal))}
        proposal = await self._draw_up(state, candidate, preview, approval_id)
        await self.approvals.propose(proposal, journal.epoch)
        await self.incidents.set_status(state.incident_id, journal.epoch, "awaiting_approval")
        return {**tried, "approval_id": proposal.id, "digest": proposal.digest}

    async def await_approval(self, state: IncidentState) -> Update:
        """Pause until the ledger holds a decision. Whatever a resume carries is ignored.

        Nothing but a read stands before the interrupt: this node runs from its start at every resume.
        """
        standing = await self.approvals.standing(state.approval_id)
        approval = standing.approval
        if approval.status == "pending" or (approval.status == "approved" and standing.stopped_by):
            interrupt(describe_pause(standing))
            return {"standing": None}
        update = _heed(state, approval)
        if state.verdict and "ending" in update:  # it was an undo: the change it would take back is in place
            reason = f"a change that didn't help is in place; its undo {approval.status}: {approval.outcome}"
            update["ending"] = Ending(status="unresolved", reason=reason)
        return {"standing": approval.status, **update}

    async def apply_fix(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Have the executor apply the approved patch, at most once, or find out how that ended."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("apply_fix")
        assert self.actuator is not None, "there was no proposal without an actuator"
        await self.incidents.set_status(state.incident_id, journal.epoch, "applying")
        outcome = await self.actuator.execute(state.approval_id, state.digest, journal.epoch)
        update = await self._conclude(state, outcome)
        if outcome.kind == "refused" and "ending" not in update:
            await self.incidents.set_status(state.incident_id, journal.epoch, "awaiting_approval")
        return {"outcome": outcome, **update}

    async def _conclude(self, state: IncidentState, outcome: Outcome) -> Update:
        match outcome.kind:
            case "applied":
                return {}
            case "refused":
                return await self._reconsider(state, outcome)
            case "superseded":
                why = f"nothing was written: {outcome.detail}"
                return {"setbacks": (*state.setbacks, why), **await self.start_over(state)}
            case "failed":
                return {"ending": Ending(status="failed", reason=f"nothing was written: {outcome.detail}")}
            case "unknown":
                return {"ending": _unknown(state, outcome)}

    async def _reconsider(self, state: IncidentState, outcome: Outcome) -> Update:
        """Return what a refused claim means: wait on, or end where the approval can't be used any more."""
        standing = await self.approvals.standing(state.approval_id)
        if standing.approval.status != "approved" or standing.stopped_by:
            return {}
        late = (standing.approval.execute_by or _NEVER) <= datetime.now(UTC)
        return {"ending": Ending(status="expired" if late else "failed", reason=outcome.detail)}

    async def start_over(self, state: IncidentState) -> Update:
        """Return the update that makes the analysis gather its evidence afresh."""
        evidence = await self.incidents.evidence(state.incident_id)
        return {"steps": 0, "looks": 0, "evidence_from": len(evidence), "tried": state.tried[:-1]}

    async def _draw_up(
        self, state: IncidentState, candidate: Candidate, preview: Preview, approval_id: str
    ) -> Proposal:
        target = Target(kind=preview.kind, namespace=preview.arguments.namespace, name=preview.arguments.name)
        if candidate.purpose == "undo":
            plan = plan_restoration(target, self.windows)
        else:
            plan = await plan_verification(self.observer, target, preview.uid, self.windows)
        diagnosis = state.diagnosis
        return Proposal(
            id=approval_id,
            incident_id=state.incident_id,
            purpose=candidate.purpose,
            arguments=preview.arguments,
            server=preview.server,
            target=target,
            target_uid=preview.uid,
            diff=preview.diff,
            summary=diagnosis.summary if diagnosis and candidate.purpose == "fix" else candidate.basis,
            grounding=candidate.grounding,
            basis=candidate.basis,
            risk=candidate.risk,
            verification_plan=plan,
            undo_plan=plan_undo(preview),
            policy_version=VERSION,
        )


class Refused(AlertmendError):
    """The candidate is no proposal: the policy or the API server wouldn't have it."""


async def _preview(actuator: Actuator, candidate: Candidate, approval_id: str) -> Preview:
    if refusal := refuse_call(candidate.call):
        raise Refused(f"the policy refuses the patch: {refusal}")
    try:
        preview = await actuator.preview(candidate.call, approval_id)
    except ClusterUnreachable:
        raise
    except ClusterError as error:
        raise Refused(f"the API server refuses the patch: {error}") from error
    if preview.is_void:
        raise Refused("the patch would change nothing")
    if refusal := refuse_change(preview.before, preview.diff):
        raise Refused(f"the policy refuses the patch: {refusal}")
    return preview


def _heed(state: IncidentState, approval: Approval) -> Update:
    """Return what a decision means for the run."""
    match approval.status:
        case "rejected":
            who = approval.decisions[-1].by
            return {"setbacks": (*state.setbacks, f"{who} rejected the proposal: {approval.outcome}")}
        case "superseded":
            return {"setbacks": (*state.setbacks, f"the proposal was superseded: {approval.outcome}")}
        case "expired":
            return {"ending": Ending(status="expired", reason=approval.outcome)}
        case "withdrawn":
            return {"ending": Ending(status="withdrawn", reason=approval.outcome)}
        case "revoked":
            return {
                "ending": Ending(status="rejected", reason=f"the approval was revoked: {approval.outcome}")
            }
        case _:
            return {}


def _handed_over(why: str, candidate: Candidate) -> Ending:
    advice = f"{candidate.basis} To apply it yourself: {candidate.call.as_command()}"
    return Ending(status="handed_over", reason=why, advice=(advice,))


def _unknown(state: IncidentState, outcome: Outcome) -> Ending:
    advice = (
        f"Look at the object: it was patched if its annotation {APPROVAL_ANNOTATION} is {state.approval_id}. "
        "Then settle it by hand; alertmend won't write again for this approval."
    )
    reason = f"whether the patch was applied is unknown: {outcome.detail}"
    return Ending(status="handed_over", reason=reason, advice=(advice,))
