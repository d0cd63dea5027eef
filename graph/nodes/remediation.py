"""The second half of a run: propose one exact change, wait for a person, have it applied. One gate each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graph.cluster.health import find_fault
from graph.domain.diagnosis import Candidate
from graph.domain.incident import MODEL_SAYS, Ending
from graph.domain.pause_answer import PauseAnswer
from graph.domain.proposal import Approval
from graph.gitops.unapplied_changes import advise_on_unapplied, describe_unapplied
from graph.nodes.journal import Journal
from graph.nodes.pause_payload import describe_pause
from graph.policy import BUILT_IN, Change, Policy, find_terms
from graph.ports import (
    ActionExecutor,
    ApprovalLedger,
    AskedElsewhere,
    ClusterReader,
    IncidentLedger,
    PauseAnswerHandler,
)
from graph.proposals.drafting import HoldsSecret, NotOurs, ProposalBuilder, Refused
from graph.state import IncidentState, RunContext
from tools.errors import ClusterError, ClusterUnreachable, MendgateError
from tools.grants import Outcome
from tools.kubernetes.patch import APPROVAL_ANNOTATION
from tools.kubernetes.resource_types import find_kind
from tools.off_loop import run_off_loop
from tools.redaction.redactor import redact, redact_text

Update = dict[str, Any]
_NEVER = datetime.max.replace(tzinfo=UTC)


class ForeignApproval(MendgateError):
    """The run's state names an approval of another incident: somebody has forged it. Nothing was written."""


@dataclass(frozen=True)
class Remediation:
    """The nodes around the gate. `drafter` and `actuator` are None where there is no write credential."""

    incidents: IncidentLedger
    approvals: ApprovalLedger
    proposal_builder: ProposalBuilder | None
    action_executor: ActionExecutor | None
    policy: Policy = BUILT_IN
    desk: PauseAnswerHandler | None = None
    """Who takes answers to a pause; None in the service, where they are ignored."""
    most_rounds: int = 3
    cluster_reader: ClusterReader | None = None
    """Who reads the object of a change that nobody here may make; None: the drafter's."""

    async def propose_fix(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Turn the candidate into a previewed proposal that a person can decide on."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("propose_fix")
        candidate = state.candidate
        assert candidate is not None, "routing leads here with a candidate only"
        if self.proposal_builder is None:
            why = "no write credential is configured (MENDGATE_WRITE_KUBECONFIG), so nothing can be applied"
            return {"ending": await self._hand_over(state, journal, candidate, NotOurs(why), why)}
        if state.rounds >= self.most_rounds and candidate.purpose == "fix":
            why = f"{state.rounds} proposals didn't settle it"
            return {"ending": await self._hand_over(state, journal, candidate, NotOurs(why), why)}
        tried: Update = {
            "rounds": state.rounds + 1,
            "tried": (*state.tried, candidate.call),
            "approval_id": "",
        }
        try:
            proposal = await self.proposal_builder.draft(
                candidate, incident_id=state.incident_id, approval_id=state.proposal_id
            )
        except HoldsSecret as secret:
            return {**tried, "ending": _leave_to_person(secret, candidate)}
        except Refused as refusal:
            return {**tried, **await self._heed_refusal(state, journal, candidate, refusal)}
        terms = find_terms(Change.of(proposal), self.policy).terms
        try:
            approval = await self.approvals.propose(proposal, journal.epoch, terms)
        except AskedElsewhere as asked:
            return {**tried, **await self._leave(state, asked, journal)}
        fault = await find_fault(self.proposal_builder.cluster_reader, proposal.verification_plan.workload)
        return {**tried, "approval_id": approval.id, "digest": approval.digest, "fault": fault or ""}

    async def _leave(self, state: IncidentState, asked: AskedElsewhere, journal: Journal) -> Update:
        """Leave the alerts to the incident that has asked; where that can't be, think of something else."""
        other = asked.incident_id
        if await self.incidents.join(state.incident_id, journal.epoch, other):
            reason = f"incident {other}, which has these alerts now, has asked to change the same already"
            return {"ending": Ending(status="no_action", reason=reason)}
        await journal.failed(str(asked))
        return {"failed_attempts": (*state.failed_attempts, str(asked))}

    async def _heed_refusal(
        self, state: IncidentState, journal: Journal, candidate: Candidate, refusal: Refused
    ) -> Update:
        """Return what a refusal means: another thought, or the end where every change would be refused.

        A model may still find the object whose change isn't refused; the runbooks know of none.
        """
        failed_attempts = (*state.failed_attempts, str(refusal))
        if not isinstance(refusal, NotOurs) or candidate.purpose == "undo" or state.unapplied:
            await journal.failed(str(refusal))
            return {"failed_attempts": failed_attempts}
        by_model = state.diagnosis is not None and state.diagnosis.source == "model"
        untouched = state.verdict is None and state.standing != "rejected"
        if refusal.whatever and untouched and not by_model:
            why = f"the repair is known, but {refusal}"
            return {"ending": await self._hand_over(state, journal, candidate, refusal, why)}
        advice = await self._advise(state, journal, candidate, refusal, goes_on=True)
        return {"failed_attempts": failed_attempts, "unapplied": advice}

    async def _hand_over(
        self, state: IncidentState, journal: Journal, candidate: Candidate, refusal: NotOurs, reason: str
    ) -> Ending:
        """Return the end of a run whose change is a person's to make."""
        advice = await self._advise(state, journal, candidate, refusal, goes_on=False)
        return Ending(status="handed_over", reason=reason, advice=advice)

    async def _advise(
        self, state: IncidentState, journal: Journal, candidate: Candidate, refusal: NotOurs, *, goes_on: bool
    ) -> tuple[str, ...]:
        """Note a change that isn't ours to make, and return what a person should set instead."""
        before = refusal.before or await self._read(candidate)
        change = await run_off_loop(describe_unapplied, str(refusal), candidate.call, refusal.diff, before)
        diagnosis = state.diagnosis
        source = diagnosis.source if diagnosis else "runbook"
        await journal.not_proposed(change, source, goes_on=goes_on)
        advice = advise_on_unapplied(change, candidate, before, diagnosis.evidence if diagnosis else ())
        return advice if source == "runbook" else tuple(f"{MODEL_SAYS}{line}" for line in advice)

    async def _read(self, candidate: Candidate) -> Mapping[str, Any] | None:
        """Return the object that a change is about, or None where it can't be read."""
        call = candidate.call
        cluster_reader = (
            self.proposal_builder.cluster_reader if self.proposal_builder else self.cluster_reader
        )
        try:
            kind = find_kind(call.resource_type).kind
            return await cluster_reader.get(kind, call.name, call.namespace) if cluster_reader else None
        except ClusterUnreachable:
            raise
        except ClusterError:
            return None

    async def await_approval(self, state: IncidentState) -> Update:
        """Pause until the ledger holds a decision. Whatever a resume carries is ignored.

        Nothing but a read stands before the interrupt: this node runs from its start at every resume.
        """
        standing = await self.approvals.standing(state.approval_id)
        approval = standing.approval
        if approval.status == "pending" or (approval.status == "approved" and standing.stopped_by):
            if self.desk is None:
                interrupt(describe_pause(standing))
                return {"standing": None}
            if approval.id != state.approval_id:  # edited since: an answer is for what its giver was shown
                return {"approval_id": approval.id, "digest": approval.digest, "standing": None}
            answer = interrupt(describe_pause(standing, state.refusal), response_schema=PauseAnswer)
            return {"standing": None, "refusal": await self.desk.take(approval, answer)}
        update = _heed(state, approval)
        if state.verdict and "ending" in update:  # it was an undo: the change it would take back is in place
            reason = f"a change that didn't help is in place; its undo {approval.status}: {approval.outcome}"
            update["ending"] = Ending(status="unresolved", reason=reason)
        return {"approval_id": approval.id, "digest": approval.digest, "standing": approval.status, **update}

    async def apply_fix(self, state: IncidentState, runtime: Runtime[RunContext]) -> Update:
        """Have the executor apply the approved patch, at most once, or find out how that ended."""
        journal = Journal.of(self.incidents, state, runtime)
        await journal.enter("apply_fix", "applying")
        assert self.action_executor is not None, "there was no proposal without an actuator"
        approval = await self._read_own(state)
        await self._withdraw_if_healed(state, approval, journal.epoch)
        outcome = await self.action_executor.execute(state.approval_id, state.digest, journal.epoch)
        update = await self._conclude(state, outcome)
        if outcome.kind in {"refused", "held"} and "ending" not in update:
            await self.incidents.set_status(state.incident_id, journal.epoch, "awaiting_approval")
        return {"outcome": outcome, **update}

    async def _read_own(self, state: IncidentState) -> Approval:
        """Return the approval. Raises `ForeignApproval` where the state names another incident's."""
        approval = await self.approvals.find(state.approval_id)
        if approval.proposal.incident_id != state.incident_id:  # epochs don't tell
            raise ForeignApproval(f"approval {state.approval_id} was given for another incident")
        return approval

    async def _withdraw_if_healed(self, state: IncidentState, approval: Approval, epoch: int) -> None:
        """Withdraw a fix whose workload was ill when it was proposed and is healthy now; no claim follows."""
        assert self.proposal_builder is not None, "there was no proposal without a drafter"
        if approval.status != "approved" or approval.proposal.purpose == "undo" or not state.fault:
            return
        workload = approval.proposal.verification_plan.workload
        if await find_fault(self.proposal_builder.cluster_reader, workload) is None:
            reason = f"{workload} has become healthy by itself before anything was written"
            await self.approvals.withdraw(approval.id, epoch, reason)

    async def _conclude(self, state: IncidentState, outcome: Outcome) -> Update:
        match outcome.kind:
            case "applied" | "held":
                return {}
            case "refused":
                return await self._reconsider(state, outcome)
            case "superseded":
                why = f"nothing was written: {outcome.detail}"
                return {"failed_attempts": (*state.failed_attempts, why), **await self.start_over(state)}
            case "failed":
                return {"ending": Ending(status="failed", reason=f"nothing was written: {outcome.detail}")}
            case "unknown":
                return {"ending": _unknown(state, outcome)}

    async def _reconsider(self, state: IncidentState, outcome: Outcome) -> Update:
        """Return what a refused claim means: heed what became of the approval, or end where it is no good."""
        approval = await self.approvals.find(state.approval_id)
        if approval.status == "unknown":
            return {"ending": Ending(status="handed_over", reason=approval.outcome)}
        if approval.status != "approved":
            return {}
        late = (approval.execute_by or _NEVER) <= datetime.now(UTC)
        return {"ending": Ending(status="expired" if late else "failed", reason=outcome.detail)}

    async def start_over(self, state: IncidentState) -> Update:
        """Return the update that makes the analysis gather its evidence afresh."""
        evidence = await self.incidents.evidence(state.incident_id)
        return {"steps": 0, "rechecks": 0, "evidence_from": len(evidence), "tried": state.tried[:-1]}


def _heed(state: IncidentState, approval: Approval) -> Update:
    """Return what a decision means for the run."""
    match approval.status:
        case "rejected":
            # not the last one: the clock that orders them may have been set back
            who = next(one.by for one in approval.decisions if one.verdict == "reject")
            return {
                "failed_attempts": (
                    *state.failed_attempts,
                    f"{who} rejected the proposal: {approval.outcome}",
                )
            }
        case "superseded":
            return {
                "failed_attempts": (
                    *state.failed_attempts,
                    f"the proposal was superseded: {approval.outcome}",
                )
            }
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
    call = candidate.call.model_copy(update={"patch_data": redact(candidate.call.patch_data)})
    advice = f"{redact_text(candidate.basis)} To apply it yourself: {call.as_command()}"
    return Ending(status="handed_over", reason=why, advice=(advice,))


def _leave_to_person(secret: HoldsSecret, candidate: Candidate) -> Ending:
    """Return how a run ends whose change would show a secret."""
    ending = _handed_over(str(secret), candidate)
    if secret.rollback:
        ending = ending.model_copy(update={"advice": (*ending.advice, f"To take it back: {secret.rollback}")})
    if candidate.purpose == "undo":
        reason = f"a change that didn't help is in place, and its undo can't be proposed: {secret}"
        ending = ending.model_copy(update={"status": "unresolved", "reason": reason})
    return ending


def _unknown(state: IncidentState, outcome: Outcome) -> Ending:
    advice = (
        f"Look at the object: it was patched if its annotation {APPROVAL_ANNOTATION} is {state.approval_id}. "
        "Then settle it by hand; mendgate won't write again for this approval."
    )
    reason = f"whether the patch was applied is unknown: {outcome.detail}"
    return Ending(status="handed_over", reason=reason, advice=(advice,))
