"""A proposal is everything a person approves; its digest binds what runs to what was seen.

A proposal has no resourceVersion, on purpose: the status of a failing workload moves it every few seconds.
The executor compares the diff again at the claim, and the write carries the version it was made for.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from graph.domain.alerts.targets import Target
from graph.domain.changes.headline import draw_headline
from graph.domain.diagnosis import Grounding, Trace
from tools.grants import ExecutingServer
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH, PatchArguments
from tools.kubernetes.readback import DEVIATES

ApprovalStatus = Literal[
    "pending", "approved", "rejected", "expired", "superseded", "withdrawn", "revoked",
    "executing", "applied", "failed", "unknown",
]  # fmt: skip
Risk = Literal["low", "medium", "high"]
Purpose = Literal["fix", "undo"]
Predicate = Literal[
    "observed_generation", "rollout_complete", "pods_ready", "restarts_stable", "symptom_gone",
    "endpoints_present", "in_place",
]  # fmt: skip


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class VerificationPlan(_Frozen):
    """What must hold, for how long (`window_seconds`, without a break), and how long to wait for it.

    `workload` is what must be healthy afterwards; for a change of a Service that is the Service. An undo is
    verified by `in_place` alone: the object has its old values back, whether or not it is healthy with them.
    """

    workload: Target
    predicates: tuple[Predicate, ...]
    window_seconds: float
    budget_seconds: float
    services: tuple[str, ...] = ()


class UndoPlan(_Frozen):
    """How to take the change back: a ready call (None if it can't be taken back by a patch), and in words."""

    summary: str
    call: PatchArguments | None


class ApprovalTerms(_Frozen):
    """What a rule of the policy asks of a decision: `quorum` distinct approvers, and the two expiries.

    `approvers` are names and `role:approver` or `role:admin`; none means whoever has one of these roles.
    `own_approval` says whether the person who edited a proposal may be one of its approvers.
    """

    rule: str = ""
    quorum: int = Field(default=1, ge=1)
    approvers: tuple[str, ...] = ()
    own_approval: bool = True
    decide_within: timedelta = timedelta(hours=4)
    execute_within: timedelta = timedelta(minutes=30)


class Proposal(_Frozen):
    """One exact change with all a person needs to decide. `id` is the approval's id, allotted beforehand."""

    id: str
    incident_id: str
    purpose: Purpose
    tool: Literal["kubectl_patch"] = "kubectl_patch"
    arguments: PatchArguments
    server: ExecutingServer
    target: Target
    target_uid: str
    diff: tuple[FieldChange, ...] = Field(min_length=1)
    grounding: Grounding
    basis: str
    traces: tuple[Trace, ...] = ()
    """Where each new value comes from; `grounding` is `guess` if any of them is one."""
    risk: Risk
    risk_reasons: tuple[str, ...] = ()
    """What a reviewer must not overlook, in words, the gravest first; the risk is no lower than it."""
    verification_plan: VerificationPlan
    undo_plan: UndoPlan
    policy_version: str
    terms: ApprovalTerms = ApprovalTerms()
    """On whose decision, and by when. The ledger sets them when it stores the proposal."""
    requested_by: str = ""
    """Who edited it into what it is; empty for the agent's own proposal."""

    @property
    def summary(self) -> str:
        """The headline: what it changes, on one line, as the diff alone says."""
        headline = draw_headline(self.target, self.diff)
        return f"Undo: {headline}" if self.purpose == "undo" else headline

    @property
    def digest(self) -> str:
        """SHA-256, in hex, over the canonical JSON of the whole proposal: what runs, and all that is shown.

        Nothing is left out, so that a field that is added is bound with it. The diff gives the headline.
        """
        bound = self.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(canonical_json(bound).encode()).hexdigest()

    def on(self, terms: ApprovalTerms, requested_by: str = "") -> Self:
        """Return the same proposal on these terms."""
        return self.model_copy(update={"terms": terms, "requested_by": requested_by})

    def competes_with(self, other: "Proposal") -> bool:
        """Whether both would change the same field of the same object, to the same value or to another."""
        if self.target_uid != other.target_uid:
            return False
        ours, theirs = ({change.path for change in _unstamped(one.diff)} for one in (self, other))
        return not ours.isdisjoint(theirs) or self.arguments.is_same_change(other.arguments)

    def is_same_change(self, other: "Proposal") -> bool:
        """Whether both would do the same to the same object, but for the approval's id in the patch."""
        return (
            self.target_uid == other.target_uid
            and self.policy_version == other.policy_version
            and self.server == other.server
            and self.arguments.is_same_change(other.arguments)
            and _unstamped(self.diff) == _unstamped(other.diff)
        )


def _unstamped(diff: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    return tuple(change for change in diff if change.path != APPROVAL_PATH)


class Decision(_Frozen):
    """What one person said about one approval. `by` comes from the credential, never from the body."""

    by: str
    verdict: Literal["approve", "reject", "edit", "revoke", "resolve"]
    reason: str = ""
    at: datetime


def find_approvers(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """Return who approved, in the order of the decisions, each once: what a quorum counts."""
    return tuple(dict.fromkeys(one.by for one in decisions if one.verdict == "approve"))


def count_approvals(decisions: Iterable[Decision], quorum: int) -> str:
    """Return in a sentence how many approvals there are of those that are needed."""
    given = len(find_approvers(decisions))
    missing = quorum - given
    people = "person" if missing == 1 else "people"
    waits = f"; it waits for {missing} other {people}" if given and missing > 0 else ""
    return f"It has {given} of {quorum} approvals{waits}."


class Approval(_Frozen):
    """An approval as it stands in the ledger."""

    proposal: Proposal
    status: ApprovalStatus
    digest: str
    quorum: int
    requested_by: str = ""
    """Who edited it into what it is; empty for the agent's own proposal."""
    own_approval: bool = True
    """Whether that person may be one of its approvers."""
    rule: str = ""
    """The rule of the policy whose terms these are; empty where they are older than such rules."""
    approvers: tuple[str, ...] = ()
    """Who may approve: names, `role:approver` or `role:admin`; empty for whoever has one of these roles."""
    decisions: tuple[Decision, ...]
    created_at: datetime
    decide_by: datetime
    execute_by: datetime | None
    superseded_by: str | None
    outcome: str
    """Why it ended as it did, in a sentence; empty while it stands."""

    @property
    def id(self) -> str:
        """The approval's id."""
        return self.proposal.id

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who has approved it, in the order of their decisions, each once."""
        return find_approvers(self.decisions)

    @property
    def tally(self) -> str:
        """How many approvals it has of those it needs, in a sentence."""
        return count_approvals(self.decisions, self.quorum)

    @property
    def deviation(self) -> str:
        """How the object is otherwise than approved since the write, in words; empty if it isn't."""
        return self.outcome if self.status == "applied" and self.outcome.startswith(DEVIATES) else ""

    def may_be_approved_by(self, name: str, role: str) -> bool:
        """Whether its terms let a person approve, of this name and the role `approver` or `admin`."""
        roles = {"admin": {"role:admin", "role:approver"}, "approver": {"role:approver"}}.get(role, set())
        names = set() if name.startswith("role:") else {name}
        return not self.approvers or bool((names | roles) & set(self.approvers))


def canonical_json(document: Any) -> str:
    """Return one spelling per document: sorted keys, no spaces, real Unicode, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
