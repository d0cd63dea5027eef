"""What an answer is held against before anything comes of it: the policy, the case, and what is known."""

from typing import Any

import pytest

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, DiagnosisStep, Evidence, HandOver, ProposePatch
from graph.ports import Case
from tests.unit.graph.llm.model_cases import (
    DESCRIBE,
    IMAGE_PATCH,
    LIST,
    PATCH,
    PROPOSAL,
    REPLICASETS,
    calls,
    case,
    piece,
    says,
    seat,
)
from tools.kubernetes.patch import PatchArguments
from tools.llm.client import Reply

OLDER = piece(2, REPLICASETS, tool="kubectl_get", arguments=LIST)
GIVE_UP = says("")


async def judge(answer: Reply, known: Case) -> DiagnosisStep:
    """Return what comes of one answer; a second one would be bad."""
    return await seat(answer, GIVE_UP).diagnostician.decide(known)


async def propose(known: Case, **changes: Any) -> DiagnosisStep:
    return await judge(calls(("propose_patch", PROPOSAL | changes)), known)


def proposed(decided: DiagnosisStep) -> ProposePatch:
    assert isinstance(decided.step, ProposePatch), decided
    return decided.step


async def test_the_same_read_isnt_made_twice() -> None:
    decided = await judge(calls(("kubectl_describe", DESCRIBE)), case(piece(1)))

    assert decided.source == "runbook"
    assert decided.complaints[0].startswith("you have that, it is E1")


@pytest.mark.parametrize(
    "changed",
    [{"server": "go"}, {"tool": "kubectl_get"}, {"arguments": {**DESCRIBE, "name": "another"}}],
)
async def test_a_read_that_differs_is_made(changed: dict[str, Any]) -> None:
    decided = await judge(calls(("kubectl_describe", DESCRIBE)), case(piece(1, **changed)))

    assert isinstance(decided.step, CallTools)


async def test_of_several_reads_the_new_ones_are_made_once_each() -> None:
    several = calls(("kubectl_describe", DESCRIBE), ("kubectl_get", LIST), ("kubectl_get", LIST))

    decided = await judge(several, case(piece(1)))

    assert isinstance(decided.step, CallTools)
    assert [call.tool for call in decided.step.calls] == ["kubectl_get"]


async def test_no_more_than_eight_reads_are_made_at_once() -> None:
    many = calls(*(("kubectl_logs", {"name": f"pod-{number}"}) for number in range(20)))

    decided = await judge(many, case())

    assert isinstance(decided.step, CallTools)
    assert len(decided.step.calls) == 8


@pytest.mark.parametrize(
    ("tool", "arguments", "complaint"),
    [
        (
            "kubectl_get",
            {"resourceType": "secret", "name": "s", "namespace": "default"},
            "Secrets are not read",
        ),
        ("kubectl_get", {"resourceType": "pods", "context": "production"}, "argument context"),
        ("kubectl_get", {"resourceType": "pods; kubectl delete pods --all"}, "must name one kind"),
        ("kubectl_get", {"resourceType": "pods", "labelSelector": "--raw=/"}, "begins with a dash"),
        ("kubectl_get", {"resourceType": ["pods"]}, "plain value"),
        ("kubectl_rollout", {"subCommand": "undo", "name": "nginx"}, "may only be asked for"),
        ("kubectl_delete", {"name": "nginx"}, "use propose_patch"),
        ("exec_in_pod", {"command": "reboot"}, "use propose_patch"),
        ("fix_everything", {}, "can't be called here"),
    ],
)
async def test_reads_that_the_policy_refuses_are_not_made(
    tool: str, arguments: dict[str, Any], complaint: str
) -> None:
    decided = await judge(calls(("kubectl_describe", DESCRIBE), (tool, arguments)), case())

    assert decided.source == "runbook"
    assert complaint in decided.complaints[0]


@pytest.mark.parametrize("name", ["propose_patch", "kubectl_patch"])
async def test_a_patch_becomes_a_proposal_however_it_is_called(name: str) -> None:
    arguments = PROPOSAL if name == "propose_patch" else PATCH

    step = proposed(await judge(calls((name, arguments)), case(piece(1))))

    assert step.candidate.call == PatchArguments.model_validate(PATCH)
    assert step.candidate.purpose == "fix"
    assert step.diagnosis.source == "model"
    assert step.diagnosis.root_causes == (
        Target(kind="Deployment", namespace="default", name="nginx-deployment"),
    )


@pytest.mark.parametrize("written", ["deploy", "Deployments", "deployment.apps"])
async def test_every_way_to_write_a_kind_is_understood(written: str) -> None:
    step = proposed(await propose(case(piece(1)), resourceType=written))

    assert step.candidate.call.resource_type == "deployment"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"namespace": "payments"}, "the alert is about namespace default"),
        ({"namespace": "kube-system"}, "namespace kube-system is protected"),
        (
            {"resourceType": "secret", "patchData": {"data": {"password": "eA=="}}},
            "a secret may not be changed",
        ),
        ({"resourceType": "pod"}, "a pod may not be changed"),
        ({"resourceType": "gadget"}, "unknown resource type"),
        ({"name": "--all"}, "name"),
        ({"namespace": None}, "namespace"),
        ({"patchData": "spec: [unclosed"}, "neither JSON nor YAML"),
        ({"patchData": 7}, "patchData"),
        ({"patchType": "apply"}, "patchType"),
        ({"patchFile": "/etc/shadow"}, "patchFile"),
        ({"context": "production"}, "context"),
        ({"evidence": ["E1", "E9"]}, "there is no evidence E9"),
        ({"confidence": 100}, "confidence"),
        ({"confidence": "certain"}, "confidence"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 5_000}, "reason"),
    ],
)
async def test_proposals_that_cant_be_accepted_are_told_back(changes: dict[str, Any], complaint: str) -> None:
    decided = await propose(case(piece(1)), **changes)

    assert decided.source == "runbook"
    assert complaint in decided.complaints[0]
    assert len(decided.complaints[0]) <= 1_000


@pytest.mark.parametrize("known", [(), (piece(1, "not found", is_error=True),)])
async def test_nothing_is_proposed_before_something_was_read(known: tuple[Evidence, ...]) -> None:
    decided = await propose(case(*known))

    assert "nothing was read yet" in decided.complaints[0]


@pytest.mark.parametrize(
    "tried",
    [
        PATCH,
        PATCH | {"resourceType": "Deployment"},
        PATCH
        | {"patchData": {**IMAGE_PATCH, "metadata": {"annotations": {"mendgate.io/approval": "apr-1"}}}},
    ],
)
async def test_a_change_that_was_tried_isnt_proposed_again(tried: dict[str, Any]) -> None:
    decided = await propose(case(piece(1), tried=(PatchArguments.model_validate(tried),)))

    assert "tried before" in decided.complaints[0]


async def test_a_value_from_the_evidence_is_grounded_in_it() -> None:
    step = proposed(
        await propose(case(piece(1), OLDER), evidence=["[E1]"], confidence="High", prevention=["pin tags"])
    )

    assert (step.candidate.grounding, step.candidate.risk) == ("evidence", "medium")
    assert "`nginx:1.25` stands in [E2]" in step.candidate.basis
    assert step.diagnosis.evidence == ("E1", "E2")
    assert step.diagnosis.confidence == "high"
    assert step.diagnosis.prevention == ("pin tags",)


async def test_a_value_of_the_models_own_is_a_guess_of_low_confidence_and_high_risk() -> None:
    step = proposed(await propose(case(piece(1)), evidence=["E1"], confidence="high"))

    assert (step.candidate.grounding, step.candidate.risk) == ("guess", "high")
    assert "`nginx:1.25` stands nowhere in the evidence" in step.candidate.basis
    assert step.diagnosis.confidence == "low"
    assert step.diagnosis.evidence == ("E1",)


async def test_a_hand_over_carries_its_advice_and_its_finding() -> None:
    given = {"reason": "the disk is full", "cause": "logs", "advice": ["clean up"], "evidence": ["E1"]}

    decided = await judge(calls(("hand_over", given)), case(piece(1)))

    assert isinstance(decided.step, HandOver)
    assert decided.source == "model"
    assert decided.step.advice == ("clean up",)
    assert decided.step.diagnosis is not None
    assert decided.step.diagnosis.cause == "logs"


async def test_a_hand_over_that_cites_what_isnt_there_is_told_back() -> None:
    decided = await judge(calls(("hand_over", {"reason": "r", "evidence": ["E7"]})), case(piece(1)))

    assert "there is no evidence E7" in decided.complaints[0]
