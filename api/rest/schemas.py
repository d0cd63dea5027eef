"""Request and response bodies of the REST API that aren't models of the graph."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from checkpoints.approvals.freezes import Freeze, FreezeWindow
from checkpoints.approvals.revocations import Resolution
from checkpoints.audit.log import AuditEntry
from graph.domain.alerts.payload import Instant
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Evidence, Grounding, Trace
from graph.domain.incident import Incident
from graph.domain.proposal import (
    Approval,
    ApprovalStatus,
    Decision,
    Purpose,
    Risk,
    UndoPlan,
    VerificationPlan,
)
from graph.policy import NamespacePattern
from tools.grants import ExecutingServer
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import PatchArguments

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Digest = Annotated[str, Field(description="SHA-256 in hex of everything that the approval binds.")]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True, validate_by_name=True)


class _Taken(BaseModel):
    """A body that a person sends: an unknown field is a mistake, so it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApprovalView(_Given):
    """An approval as people see it: the exact call, what it would change, and what was said about it."""

    id: str
    incident_id: str
    status: ApprovalStatus
    purpose: Purpose
    summary: Annotated[str, Field(description="What it changes, on one line, taken from the diff.")]
    tool: Literal["kubectl_patch"]
    arguments: PatchArguments
    command: Annotated[str, Field(description="The kubectl command that does the same.")]
    server: Annotated[ExecutingServer, Field(description="The MCP server that will execute the call.")]
    target: Target
    diff: tuple[FieldChange, ...]
    digest: Digest
    risk: Risk
    risk_reasons: Annotated[
        tuple[str, ...], Field(description="What a reviewer must not overlook, the most serious first.")
    ] = ()
    grounding: Annotated[
        Grounding, Field(description="Where the new values come from; `guess` if any has no trace.")
    ]
    basis: Annotated[str, Field(description="The same in words.")]
    traces: Annotated[
        tuple[Trace, ...], Field(description="Each new value, and the evidence that contains it.")
    ] = ()
    verification_plan: VerificationPlan
    undo_plan: UndoPlan
    policy_version: str
    quorum: Annotated[int, Field(description="How many distinct approvers it needs.")]
    requested_by: Annotated[
        str, Field(description="Who edited the proposal; empty for the agent's own proposal.")
    ] = ""
    own_approval: Annotated[bool, Field(description="Whether the person who edited it may approve it.")] = (
        True
    )
    rule: Annotated[str, Field(description="The rule of the policy that these terms come from.")] = ""
    approvers: Annotated[
        tuple[str, ...],
        Field(description="Who may approve: names, or roles as `role:admin`; empty for every approver."),
    ] = ()
    decisions: tuple[Decision, ...]
    created_at: datetime
    decide_by: datetime
    execute_by: Annotated[datetime | None, Field(description="Null until it is approved.")]
    superseded_by: str | None
    outcome: Annotated[str, Field(description="Why it ended as it did; empty while it is open.")]
    deviation: Annotated[
        str,
        Field(description="How the object has since come to differ from what was approved; else empty."),
    ] = ""

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """Return the approval and its proposal as one flat document."""
        proposal = approval.proposal
        facts: dict[str, Any] = {name: getattr(approval, name) for name in Approval.model_fields}
        facts |= {name: getattr(proposal, name) for name in type(proposal).model_fields}
        facts |= {"summary": proposal.summary, "deviation": approval.deviation}
        facts["command"] = proposal.arguments.as_command()
        return cls(**{name: facts[name] for name in cls.model_fields})


class ApprovalList(_Given):
    """One page of approvals, newest first."""

    items: tuple[ApprovalView, ...]
    continue_: Annotated[
        str | None, Field(alias="continue", description="Fetches the next page; null at the end.")
    ]


class IncidentList(_Given):
    """One page of incidents, newest first."""

    items: tuple[Incident, ...]
    continue_: Annotated[
        str | None, Field(alias="continue", description="Fetches the next page; null at the end.")
    ]


class EvidenceList(_Given):
    """All evidence of an incident, oldest first."""

    items: tuple[Evidence, ...]
    continue_: Annotated[None, Field(alias="continue")] = None


class FreezeList(_Given):
    """The freezes that hold now or later, soonest first."""

    items: tuple[Freeze, ...]
    continue_: Annotated[None, Field(alias="continue")] = None


class AuditList(_Given):
    """One page of the audit, newest first."""

    items: tuple[AuditEntry, ...]
    continue_: Annotated[
        str | None, Field(alias="continue", description="Fetches the next page; null at the end.")
    ]


class Woken(_Given):
    """The incident that was retried."""

    incident_id: str


class Health(_Given):
    """The process answers; of `/readyz`: it may be sent requests."""

    status: Literal["ok"] = "ok"
    note: Annotated[str | None, Field(description="What an admin must check; usually absent.")] = None


class ApproveBody(_Taken):
    """An approval of exactly this change."""

    digest: Annotated[
        Digest | None, Field(description="The digest you reviewed; or send it as `If-Match`.")
    ] = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""


class RejectBody(_Taken):
    """A rejection of a change. The reason is passed to the next diagnosis."""

    reason: Reason
    digest: Annotated[Digest | None, Field(description="The digest you reviewed, to have it checked.")] = None


class EditBody(_Taken):
    """Other arguments for the same call on the same object."""

    arguments: Annotated[
        dict[str, Any], Field(description="All of them, as `arguments` of the approval shows them.")
    ]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    digest: Annotated[
        Digest | None, Field(description="The digest you reviewed; or send it as `If-Match`.")
    ] = None


class RevokeBody(_Taken):
    """Why an approval is taken back."""

    reason: Reason


class ResolutionBody(_Taken):
    """What a person found when looking at the object."""

    outcome: Annotated[
        Resolution, Field(description="`applied` if the object carries the approval's annotation, else not.")
    ]
    reason: Reason


class KillSwitchBody(_Taken):
    """The wanted state of the kill switch."""

    engaged: Annotated[StrictBool, Field(description="True stops every write to the cluster.")]
    reason: Reason


class AcceptBody(_Taken):
    """An admin's acceptance of the audit, and the stops, as they are."""

    reason: Reason


class Accepted(_Given):
    """What was wrong with the audit or the stops, and was accepted."""

    doubt: str


class FreezeBody(_Taken):
    """A window in which nothing is written."""

    starts_at: Instant
    ends_at: Instant
    reason: Reason
    namespaces: Annotated[
        tuple[NamespacePattern, ...],
        Field(max_length=100, description="Patterns such as `shop-*`. None means every namespace."),
    ] = ()

    @field_validator("ends_at")
    @classmethod
    def _require_order(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        starts_at = info.data.get("starts_at")
        if starts_at is not None and ends_at <= starts_at:
            raise ValueError("a freeze must end after it starts")
        return ends_at

    @property
    def window(self) -> FreezeWindow:
        """The window as the ledger takes it."""
        return FreezeWindow.model_validate(self.model_dump())


class EndFreezeBody(_Taken):
    """Why a freeze ends now."""

    reason: Reason
