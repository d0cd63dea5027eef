"""Turning a candidate into a proposal: previewed on the server, held against the policy, with both its plans.

The agent's own candidates and a person's edits go this way alike.
"""

from dataclasses import dataclass

from graph.domain.alerts.targets import Target
from graph.domain.changes.dangers import dangers_in, find_dangers
from graph.domain.changes.new_values import NewValue, changed_values, dropped_fields
from graph.domain.diagnosis import Candidate, Trace
from graph.domain.ids import new_id
from graph.domain.proposal import Proposal
from graph.policy import (
    BUILT_IN,
    NO_SECRETS,
    Change,
    Policy,
    SecretNames,
    assess_risk,
    find_unknown_secrets,
    is_right,
    raise_risk,
    refuse_call,
    refuse_object,
    refuse_patch,
    spell_fields,
)
from graph.ports import ActionExecutor, ClusterReader, Grounds, ImageRegistry, IncidentLedger
from graph.proposals.image_check import ImageAbsent, check_images
from graph.proposals.planning import plan_restoration, plan_undo, plan_verification
from graph.proposals.proven_secrets import find_named_secrets
from graph.provenance.tracing import TooManyValues, find_traces, restored, weigh
from graph.safety.confidential import (
    describe_rollback,
    keep_secrets_out,
    refuse_secret_changes,
    refuse_secrets_in,
)
from graph.safety.crossings import find_crossings
from graph.safety.own_objects import OwnPod
from tools.errors import ClusterError, ClusterUnreachable, MendgateError, PermissionDenied
from tools.grants import Preview
from tools.off_loop import run_off_loop
from tools.redaction.redactor import redact_text


class Refused(MendgateError):
    """The candidate is no proposal: the policy or the API server wouldn't have it."""


class HoldsSecret(Refused):
    """The change would show a secret: it is a person's. `rollback` is how they take it back, or empty."""

    def __init__(self, why: str, rollback: str = "") -> None:
        super().__init__(why)
        self.rollback = rollback


class NotOurs(Refused):
    """Who owns the object, its namespace, this policy or the rights refuse what would be right in itself.

    `before` is the object as it was read and `diff` the dry-run's; None: it didn't come to that. `whatever`
    says whether any other change of the object would be refused as well.
    """

    def __init__(self, why: str, preview: Preview | None = None, *, whatever: bool = True) -> None:
        super().__init__(why)
        self.whatever = whatever
        self.before = preview.before if preview else None
        self.diff = preview.diff if preview else None


@dataclass(frozen=True)
class ProposalBuilder:
    """Draws proposals up. It needs the executor's preview: a dry-run takes the right to patch.

    `registry` None: nobody asks whether a proposed image exists. `own_pod` None: this runs outside a cluster.
    """

    cluster_reader: ClusterReader
    action_executor: ActionExecutor
    incidents: IncidentLedger
    policy: Policy = BUILT_IN
    registry: ImageRegistry | None = None
    own_pod: OwnPod | None = None

    async def draft(self, candidate: Candidate, *, incident_id: str, approval_id: str = "") -> Proposal:
        """Return the proposal for a candidate. Raises `Refused`; `ClusterUnreachable` may be tried again."""
        approval_id = approval_id or new_id("apr")
        preview = await self._preview(candidate, approval_id)
        known = await self.incidents.grounds(incident_id)
        values = await run_off_loop(changed_values, preview.diff, candidate.call.patch_data)
        traces = await self._trace(candidate, values, known)
        grounding, risk = weigh(candidate.grounding, candidate.risk, traces)
        target = Target(kind=preview.kind, namespace=preview.arguments.namespace, name=preview.arguments.name)
        dangers = await run_off_loop(find_dangers, preview.diff, target, known.target)
        dangers = (*dangers, *dangers_in(preview.warnings))
        if not _is_own_undo(candidate):
            dangers = (*await find_crossings(self.cluster_reader, preview.before, values), *dangers)
        if candidate.purpose == "undo":
            plan = plan_restoration(target, self.policy.verification)
        else:
            plan = await plan_verification(self.cluster_reader, target, preview.uid, self.policy.verification)
        proposal = Proposal(
            id=approval_id,
            incident_id=incident_id,
            purpose=candidate.purpose,
            arguments=preview.arguments,
            server=preview.server,
            target=target,
            target_uid=preview.uid,
            diff=preview.diff,
            grounding=grounding,
            basis=redact_text(candidate.basis),
            traces=traces,
            risk=raise_risk(risk, dangers),
            risk_reasons=tuple(danger.words for danger in dangers),
            verification_plan=plan,
            undo_plan=await run_off_loop(lambda: keep_secrets_out(plan_undo(preview), preview)),
            policy_version=self.policy.version,
        )
        return proposal.model_copy(update={"risk": assess_risk(Change.of(proposal), self.policy)})

    async def _preview(self, candidate: Candidate, approval_id: str) -> Preview:
        if refusal := refuse_call(candidate.call, self.policy):
            why = f"the policy refuses the patch: {refusal}"
            raise NotOurs(why) if is_right(candidate.call, spell_fields(candidate.call)) else Refused(why)
        if secret := await run_off_loop(refuse_secrets_in, candidate.call):
            raise HoldsSecret(secret)
        try:
            preview = await self.action_executor.preview(candidate.call, approval_id)
        except ClusterUnreachable:
            raise
        except ClusterError as error:
            why = f"the API server refuses the patch: {redact_text(str(error))}"
            raise NotOurs(why) if _lacks_rights(error) else Refused(why) from error
        if self.own_pod and (refusal := await self.own_pod.refuse(preview.before, self.cluster_reader)):
            raise NotOurs(f"this can't be proposed: {refusal}", preview)
        secrets = await self._find_secrets(candidate, preview)
        await run_off_loop(self._check, candidate, preview, secrets)
        return preview

    async def _find_secrets(self, candidate: Candidate, preview: Preview) -> SecretNames:
        """Return the Secrets that may be named because revisions did; an undo gives back what was there."""
        if not await run_off_loop(find_unknown_secrets, preview.before, preview.diff):
            return NO_SECRETS
        return await find_named_secrets(
            self.cluster_reader, preview.before, healthy=not _is_own_undo(candidate)
        )

    def _check(self, candidate: Candidate, preview: Preview, secrets: SecretNames) -> None:
        """Raise `Refused` unless the change is one that may be proposed. Large objects take a while."""
        if preview.is_void:
            raise Refused("the patch would change nothing")
        if dropped := dropped_fields(candidate.call.patch_data, preview.after):
            fields = ", ".join(dropped)
            raise Refused(f"the API server would drop {fields}: no such field is kept for a {preview.kind}")
        if refusal := refuse_patch(
            preview.arguments, preview.diff, self.policy, before=preview.before, secrets=secrets
        ):
            why = f"the policy refuses the patch: {refusal}"
            right = is_right(preview.arguments, preview.diff, before=preview.before, secrets=secrets)
            owned = refuse_object(preview.before) is not None
            raise NotOurs(why, preview, whatever=owned) if right else Refused(why)
        if secret := refuse_secret_changes(preview):
            raise HoldsSecret(secret, describe_rollback(preview))

    async def _trace(
        self, candidate: Candidate, values: tuple[NewValue, ...], known: Grounds
    ) -> tuple[Trace, ...]:
        """Return where the new values come from. Raises `Refused` for too many, and an image that isn't."""
        if _is_own_undo(candidate):
            return restored(values)
        try:
            traces = await run_off_loop(find_traces, values, known.evidence, known.group)
            return await check_images(self.registry, traces) if self.registry else traces
        except (ImageAbsent, TooManyValues) as error:
            raise Refused(str(error)) from error


def _lacks_rights(error: ClusterError) -> bool:
    """Whether the writer's credential may not patch this; what a webhook denies isn't right anywhere."""
    return isinstance(error, PermissionDenied) and "admission webhook" not in error.detail


def _is_own_undo(candidate: Candidate) -> bool:
    """Whether it takes a change back as it was planned, with no value of a person's."""
    return candidate.purpose == "undo" and candidate.grounding != "person"
