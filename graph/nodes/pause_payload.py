"""What a paused run shows: one payload that LangGraph Studio, agent-inbox and agent-chat-ui all understand.

It is a wake-up and a display, never an authority: whatever a resume carries is ignored.
"""

from typing import Any

from graph.domain.markdown import bullets, code_block, text
from graph.domain.proposal import Proposal
from graph.ports import Standing


def describe_pause(standing: Standing, refusal: str = "") -> dict[str, Any]:
    """Return the interrupt's payload for an approval that waits; `refusal` is why an answer was not taken."""
    approval = standing.approval
    proposal = approval.proposal
    arguments = proposal.arguments.as_json()
    description = describe_proposal(standing) + (
        f"\n\nYour answer was not taken: {text(refusal)}" if refusal else ""
    )
    return {
        "action_requests": [
            {"name": proposal.tool, "args": arguments, "arguments": arguments, "description": description}
        ],
        "review_configs": [
            {"action_name": proposal.tool, "allowed_decisions": ["approve", "edit", "reject"]}
        ],
        "action_request": {"action": proposal.tool, "args": arguments},
        "config": {
            "allow_accept": True,
            "allow_edit": True,
            "allow_respond": True,
            "allow_ignore": True,
        },
        "description": description,
        "x_approval": {
            "id": approval.id,
            "digest": approval.digest,
            "url": f"/v1/approvals/{approval.id}",
        },
    }


def describe_proposal(standing: Standing) -> str:
    """Return the proposal as Markdown: what changes, where, why, and what keeps it waiting."""
    proposal = standing.approval.proposal
    diff = code_block("\n".join(str(change) for change in proposal.diff))
    held = f"\n\nHeld: {text(standing.stopped_by)}." if standing.stopped_by else ""
    return (
        f"**{text(proposal.summary)}**\n\nTarget: {text(proposal.target)}. Risk: {proposal.risk}. "
        f"{text(proposal.basis)}{_warn(proposal)}\n\n{diff}{_describe_traces(proposal)}{held}"
    )


def _warn(proposal: Proposal) -> str:
    if not proposal.risk_reasons:
        return ""
    return f"\n\n**Look at this first:**\n\n{bullets(map(text, proposal.risk_reasons))}"


def _describe_traces(proposal: Proposal) -> str:
    """Return where each value comes from; a guess is called one first of all."""
    if not proposal.traces:
        return ""
    head = "**A guess: not every value stands in the evidence.**\n\n" if proposal.grounding == "guess" else ""
    lines = "\n".join(str(trace) for trace in proposal.traces)
    return f"\n\n{head}Where the values come from:\n\n{code_block(lines)}"
