"""The digest: everything an approval binds, and nothing that moves by itself."""

from typing import Any

import pytest

from graph.proposal import UndoPlan, VerificationPlan, canonical_json
from graph.targets import Target
from tests.unit.graph.proposals import WEB, make_proposal
from tools.diffing import FieldChange
from tools.executor import ExecutingServer


def test_the_digest_is_the_same_after_a_round_trip_through_json() -> None:
    proposal = make_proposal()

    again = type(proposal).model_validate_json(proposal.model_dump_json())

    assert again.digest == proposal.digest


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": make_proposal().arguments.guarded("u", "7")},
        {"arguments": make_proposal().arguments.model_copy(update={"namespace": "shop"})},
        {"server": ExecutingServer(name="other", version="1", schema_sha256="0" * 64)},
        {"server": ExecutingServer(name="alertmend", version="1", schema_sha256="1" * 64)},
        {"target": Target(kind="Deployment", namespace="default", name="db")},
        {"target_uid": "uid-2"},
        {"diff": (FieldChange(path="spec.replicas", before=1, after=2),)},
        {"diff": (FieldChange(path="spec.replicas", before=1, after=2, added=True),)},
        {
            "verification_plan": VerificationPlan(
                workload=WEB, predicates=("rollout_complete",), window_seconds=1, budget_seconds=600
            )
        },
        {"undo_plan": UndoPlan(summary="none", call=None)},
        {"policy_version": "builtin-2"},
        {"purpose": "undo"},
    ],
)
def test_whatever_an_approval_binds_changes_the_digest(change: dict[str, Any]) -> None:
    assert make_proposal(**change).digest != make_proposal().digest


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
