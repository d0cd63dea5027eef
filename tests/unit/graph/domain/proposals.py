"""Proposals for tests: one whole proposal, any part of it exchanged."""

from typing import Any

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Trace
from graph.domain.proposal import Proposal, UndoPlan, VerificationPlan
from graph.policy import BUILT_IN
from tools.grants import ExecutingServer
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import PatchArguments

WEB = Target(kind="Deployment", namespace="default", name="web")


def make_proposal(**changes: Any) -> Proposal:
    """Return the proposal of the reference incident with `changes` laid over it."""
    call = PatchArguments(
        resource_type="deployment",
        name="web",
        namespace="default",
        patch_data={
            "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}
        },
    )
    fields: dict[str, Any] = {
        "id": "apr-1",
        "incident_id": "inc-1",
        "purpose": "fix",
        "arguments": call.stamped("apr-1", None),
        "server": ExecutingServer(name="mendgate", version="1", schema_sha256="0" * 64),
        "target": WEB,
        "target_uid": "uid-1",
        "diff": (
            FieldChange(
                path="spec.template.spec.containers[nginx].image", before="nginx:1.25-", after="nginx:1.25"
            ),
        ),
        "grounding": "last_good_revision",
        "basis": "Revision 1 ran nginx:1.25.",
        "traces": (
            Trace(
                path="spec.template.spec.containers[nginx].image",
                value="nginx:1.25",
                origin="revision",
                evidence="E2",
                place="ReplicaSet/web-5c98",
            ),
        ),
        "risk": "low",
        "verification_plan": VerificationPlan(
            workload=WEB, predicates=("rollout_complete",), window_seconds=60, budget_seconds=600
        ),
        "undo_plan": UndoPlan(summary="image back to 'nginx:1.25-'", call=None),
        "policy_version": BUILT_IN.version,
    }
    return Proposal.model_validate(fields | changes)
