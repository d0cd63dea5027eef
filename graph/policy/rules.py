"""What the rules of a policy say about one change: its risk, who decides, whether the policy itself does."""

from collections.abc import Iterable, Sequence
from typing import get_args

from graph.domain.changes.dangers import Danger
from graph.domain.diagnosis import Origin, Trace
from graph.domain.proposal import Proposal, Risk
from graph.policy.conditions import Change
from graph.policy.document import AUTOMATIC, AutoApproval, Policy, TermsRule

POLICY_PREFIX = "policy:"
"""What the policy's own decisions are recorded by begins so, and no person's name may."""
_RISKS: tuple[Risk, ...] = get_args(Risk)
_SPECIFIED: frozenset[Origin] = frozenset({"revision", "object"})


def assess_risk(change: Change, policy: Policy) -> Risk:
    """Return the risk of a change: its own or a rule's, whichever is higher. A guess is always high."""
    raised = [rule.at_least for rule in policy.risk if rule.when.fits(change)]
    if change.grounding == "guess":
        raised.append("high")
    return max([change.risk, *raised], key=_RISKS.index)


def raise_risk(risk: Risk, dangers: Iterable[Danger]) -> Risk:
    """Return the risk, or the level of the gravest danger where that is higher."""
    return max([risk, *(danger.level for danger in dangers)], key=_RISKS.index)


def find_terms(change: Change, policy: Policy) -> TermsRule:
    """Return the first rule that fits; the last one fits every change."""
    return next(rule for rule in policy.terms if rule.when is None or rule.when.fits(change))


def find_auto_approval(proposal: Proposal, policy: Policy) -> AutoApproval | None:
    """Return the rule by which the policy itself approves a proposal, or None.

    Each new value must stand in the cluster's own specifications: what only a log, an event, a text or an
    alert says is for a person to judge. Never a guess, never what a person wrote, and never under another
    policy than the proposal's own.
    """
    if proposal.policy_version != policy.version or not are_specified(proposal.traces):
        return None
    return match_auto_approval(Change.of(proposal), policy)


def are_specified(traces: Sequence[Trace]) -> bool:
    """Whether all values stand in specifications of the cluster, and there are any."""
    return bool(traces) and all(trace.origin in _SPECIFIED for trace in traces)


def match_auto_approval(change: Change, policy: Policy) -> AutoApproval | None:
    """Return the first rule that approves a change, if its values are specified, or None."""
    if change.grounding not in AUTOMATIC or change.risk == "high":
        return None
    return next((rule for rule in policy.auto_approve if rule.when.fits(change, every_field=True)), None)
