"""Editing a proposal: a person changes the arguments, and gets a new proposal with its own approval.

It is previewed, checked against the policy and given its plans like the agent's own proposals. It decides
nothing: the new approval waits for its approvers.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from checkpoints.approvals.decisions import require_pending
from checkpoints.ledger import Ledger
from graph.domain.diagnosis import Candidate
from graph.domain.proposal import Approval, Proposal
from graph.policy import Change, Policy, find_terms
from graph.proposals.drafting import ProposalBuilder, Refused
from tools.errors import BadInput, UnknownKind
from tools.kubernetes.patch import PatchArguments
from tools.kubernetes.resource_types import find_kind
from tools.off_loop import answer_off_loop


@dataclass(frozen=True)
class Editor:
    """Makes edited proposals, on the same terms as the agent's."""

    ledger: Ledger
    proposal_builder: ProposalBuilder
    policy: Policy

    async def edit(
        self, approval_id: str, arguments: dict[str, Any], *, by: str, digest: str | None, reason: str
    ) -> Approval:
        """Replace a pending proposal by an edited one; return the new approval.

        Raises a `DecisionRefused` if the approval isn't pending any more, `BadInput` for arguments that
        can't be used, that change nothing, or that the policy or the API server refuses.
        """
        approval = await self.ledger.approvals.find(approval_id)
        require_pending(approval, digest, datetime.now(UTC))
        call = await answer_off_loop(_parse, arguments)
        candidate = _candidate(approval.proposal, call, by, reason)
        try:
            successor = await self.proposal_builder.draft(
                candidate,
                incident_id=approval.proposal.incident_id,
            )
        except Refused as refusal:
            raise BadInput(f"the edit can't be proposed: {refusal}") from refusal
        terms = find_terms(Change.of(successor), self.policy).terms
        return await self.ledger.decisions.edit(
            approval_id, successor, terms, by=by, digest=digest, reason=reason
        )


def _parse(arguments: dict[str, Any]) -> PatchArguments:
    try:
        return PatchArguments.model_validate(arguments)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadInput(f"the arguments can't be used: {'; '.join(faults)}") from error


def _candidate(proposal: Proposal, call: PatchArguments, by: str, reason: str) -> Candidate:
    if _object(call) != _object(proposal.arguments):
        raise BadInput(
            f"an edit may change the patch, not its target, which is {proposal.target}: correct the arguments"
        )
    if call == proposal.arguments:
        raise BadInput("nothing was edited: the arguments equal the proposal's; change the patch")
    why = f": {reason}" if reason else ""
    return Candidate(
        call=call,
        purpose=proposal.purpose,
        grounding="person",
        basis=f"{by} edited proposal {proposal.id}{why}.",
        risk="high" if proposal.risk == "high" else "medium",
    )


def _object(call: PatchArguments) -> tuple[str, str, str]:
    try:
        kind = find_kind(call.resource_type).kind
    except UnknownKind as error:
        raise BadInput(str(error)) from error
    return kind, call.namespace, call.name
