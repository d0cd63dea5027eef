"""The digest: it binds the whole proposal, what runs and what is shown."""

from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Trace
from graph.domain.proposal import ApprovalTerms, Proposal, UndoPlan, VerificationPlan, canonical_json
from tests.unit.graph.domain.proposals import WEB, make_proposal
from tools.grants import ExecutingServer
from tools.kubernetes.diff import FieldChange


def test_the_digest_is_the_same_after_a_round_trip_through_json() -> None:
    proposal = make_proposal()

    again = type(proposal).model_validate_json(proposal.model_dump_json())

    assert again.digest == proposal.digest


_OTHER_PLAN = VerificationPlan(
    workload=WEB, predicates=("rollout_complete",), window_seconds=1, budget_seconds=600
)
CHANGES: dict[str, Any] = {
    "id": "apr-2",
    "incident_id": "inc-2",
    "purpose": "undo",
    "tool": "kubectl_apply",
    "arguments": make_proposal().arguments.model_copy(update={"namespace": "shop"}),
    "server": ExecutingServer(name="mendgate", version="1", schema_sha256="1" * 64),
    "target": Target(kind="Deployment", namespace="default", name="db"),
    "target_uid": "uid-2",
    "diff": (FieldChange(path="spec.replicas", before=1, after=2),),
    "grounding": "guess",
    "basis": "Somebody said so.",
    "traces": (Trace(path="spec.replicas", value=2, origin="none"),),
    "risk": "high",
    "risk_reasons": ("nobody knows",),
    "verification_plan": _OTHER_PLAN,
    "undo_plan": UndoPlan(summary="none", call=None),
    "policy_version": "builtin-2",
    "terms": ApprovalTerms(quorum=2),
    "requested_by": "bob",
}


@pytest.mark.parametrize("name", Proposal.model_fields)
def test_every_field_of_a_proposal_is_bound_by_its_digest(name: str) -> None:
    changed = make_proposal().model_copy(update={name: CHANGES[name]})

    assert changed.digest != make_proposal().digest


def test_a_change_of_the_diffs_smallest_part_changes_the_digest() -> None:
    one, other = (
        make_proposal(diff=(FieldChange(path="spec.replicas", before=1, after=2, added=added),))
        for added in (False, True)
    )

    assert one.digest != other.digest


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
