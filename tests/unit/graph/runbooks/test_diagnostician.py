"""What the runbook mind asks, when it has seen enough, and that nothing a cluster sends can upset it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, HandOver, LookAgain, NothingWrong, ProposePatch, ReadCall
from graph.policy import BUILT_IN, refuse_call, refuse_read
from graph.runbooks import RunbookDiagnostician
from tests.unit.graph.runbooks.runbook_cases import (
    JSON,
    POD,
    SHOP,
    MadeUpCluster,
    alert_about,
    decide,
    load,
    places,
    play,
    replaced,
    running,
    waiting,
)
from tests.unit.graph.runbooks.runbook_cases import killed as killed_status
from tools.mcp.toolbox import OWN_SERVER, ToolOffer

NOT_FOUND = ('{"error": {"code": 404, "reason": "NotFound", "message": "not found"}}', True)


def shop(**changes: Any) -> MadeUpCluster:
    container = {"name": "app", "image": "shop/api:1.0"}
    fields = {"containers": [container], "statuses": [running("app", ready=False)]}
    return MadeUpCluster(**(fields | changes))


async def test_the_first_look_is_the_pod_and_its_workload() -> None:
    step = (await RunbookDiagnostician().decide(alert_about(SHOP, POD))).step

    assert isinstance(step, CallTools)
    assert [(call.tool, call.arguments["name"]) for call in step.calls] == [
        ("kubectl_describe", POD),
        ("kubectl_get", "shop"),
    ]


def nothing_there(_: ReadCall) -> tuple[str, bool]:
    return '{"items": []}', False


def own(tool: str) -> ToolOffer:
    return ToolOffer(OWN_SERVER, tool, "", {})


async def test_questions_are_few_never_repeated_and_read_only() -> None:
    cluster = shop(statuses=[killed_status("app")])

    _, case, asked = await play(alert_about(SHOP, POD), cluster.answer)

    calls = [(each.tool, json.dumps(each.arguments)) for each in case.evidence]
    assert len(calls) == len(set(calls))
    assert len(asked) <= 7
    assert all(len(step.calls) <= 8 for step in asked)
    assert not any(
        refuse_read(own(call.tool), call.arguments, BUILT_IN) for step in asked for call in step.calls
    )
    assert {"kubectl_logs", "kubectl_describe"} <= {tool for tool, _ in calls}


async def test_calls_that_fail_are_known_and_not_made_again() -> None:
    def answer(call: ReadCall) -> tuple[str, bool]:
        secondary = call.arguments["resourceType"] in {"events", "deployments", "services"}
        return ("Forbidden", True) if secondary else shop().answer(call)

    step, case, _ = await play(alert_about(SHOP, POD), answer)

    assert isinstance(step, HandOver)
    assert len({json.dumps(each.arguments) + each.tool for each in case.evidence}) == len(case.evidence)


async def test_a_healthy_workload_needs_nothing() -> None:
    step, _, asked = await play(load("healthy"), nothing_there)

    assert isinstance(step, NothingWrong)
    assert [step.reason for step in asked] == ["The pods are well: look at what stands before them."]
    assert "3 of 3 pods are ready" in step.reason


async def test_a_container_that_crashed_a_moment_ago_is_not_healthy() -> None:
    case = load("liveness_port")
    pods = next(each for each in case.evidence if each.arguments["resourceType"] == "pods")
    document = json.loads(pods.text)
    document["items"][0]["status"]["containerStatuses"][0] |= {"ready": True, "state": {"running": {}}}
    document["items"][0]["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    workload = next(each for each in case.evidence if each.arguments["resourceType"] == "deployment")
    settled = json.loads(workload.text)
    settled["status"] |= {"readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1}
    changed = {pods.id: json.dumps(document), workload.id: json.dumps(settled)}

    soon = [each.model_copy(update={"text": changed.get(each.id, each.text)}) for each in case.evidence]
    late = [each.model_copy(update={"at": each.at + timedelta(minutes=30)}) for each in soon]

    first = (await RunbookDiagnostician().decide(replace(case, evidence=tuple(soon)))).step
    assert isinstance(first, HandOver)
    assert first.diagnosis is not None
    last, _, _ = await play(replace(case, evidence=tuple(late)), nothing_there)
    assert isinstance(last, NothingWrong)


async def test_what_no_runbook_knows_is_handed_over_with_its_symptoms_and_last_words() -> None:
    step = (await RunbookDiagnostician().decide(load("crash"))).step

    assert isinstance(step, HandOver)
    assert "CrashLoopBackOff" in step.reason
    assert step.reason.count("fatal: exiting with status 1") == 1


async def test_a_wrong_guess_of_the_workload_is_mended_through_the_pods_owners() -> None:
    cluster, guess = shop(), Target(kind="StatefulSet", namespace="default", name="shop-new")
    owner = {"kind": "Deployment", "name": "shop", "uid": "uid-shop", "controller": True}
    replicaset = {"kind": "ReplicaSet", "metadata": {"name": POD[:-6], "ownerReferences": [owner]}}

    def answer(call: ReadCall) -> tuple[str, bool]:
        match call.arguments:
            case {"resourceType": "statefulset"}:
                return NOT_FOUND
            case {"resourceType": "pod", "name": _} if call.tool == "kubectl_get":
                return json.dumps(cluster.pod), False
            case {"resourceType": "replicasets"} if "labelSelector" not in call.arguments:
                return json.dumps({"items": [replicaset]}), False
        return cluster.answer(call)

    step, _, asked = await play(alert_about(guess, "shop-new-1"), answer)

    assert isinstance(step, HandOver)
    assert "Deployment/shop in default isn't healthy" in step.reason
    assert len(asked) <= 5


async def test_a_workload_that_is_gone_with_its_pod_is_handed_over() -> None:
    step, case, _ = await play(alert_about(SHOP, POD), lambda _: NOT_FOUND)

    assert isinstance(step, HandOver)
    assert "neither Deployment/shop in default nor its pod" in step.reason
    assert case.evidence[-2].id in step.reason


@pytest.mark.parametrize(
    "target",
    [
        Target(kind="Deployment", namespace=None, name="shop"),
        Target(kind="Deployment", namespace="default", name="../../etc"),
        Target(kind="Deployment", namespace="de fault", name="shop"),
        Target(kind="Node", namespace=None, name="../node-1"),
    ],
)
async def test_a_target_without_a_runbook_is_handed_over_at_once(target: Target) -> None:
    step = (await RunbookDiagnostician().decide(alert_about(target))).step

    assert isinstance(step, HandOver)
    assert step.advice


async def test_a_target_of_an_unknown_kind_is_handed_over_after_a_look_at_its_warnings() -> None:
    target = Target(kind="Rollout", namespace="default", name="nightly")

    step, _, asked = await play(alert_about(target), nothing_there)

    assert isinstance(step, HandOver)
    assert "there is no runbook for a Rollout" in step.reason
    assert len(asked) == 1


async def test_setbacks_are_told_to_the_person_who_takes_over() -> None:
    step = await decide(shop(), failed_attempts=("alice rejected the proposal: not during the sale",))

    assert isinstance(step, HandOver)
    assert "not during the sale" in step.reason


@pytest.mark.parametrize("kind", ["Node", "Deployment", "Ingress"])
async def test_an_errors_message_is_told_and_not_its_json(kind: str) -> None:
    target = Target(kind=kind, namespace=None if kind == "Node" else "default", name="worker-7")
    message = f"{kind} worker-7 not found"
    error = json.dumps({"error": {"code": 404, "reason": "NotFound", "message": message}})

    step, _, _ = await play(alert_about(target), lambda _: (error, True))

    assert isinstance(step, HandOver)
    assert f"{message} [E1]" in step.reason
    assert "{" not in step.reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 50_000,
        "null",
        "[]",
        '{"items": 5}',
        '{"items": [{}]}',
        '{"items": [{"metadata": {"name": "a/../b"}}]}',
        '{"kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"replicas": -1}}',
        '{"kind": "Deployment", "metadata": {"name": "\\ud800"}}',
        "\ud800",
        "9" * 6000,
        "\x00\x1b[2J" * 1000,
    ],
)
async def test_unreadable_answers_end_with_a_person_who_is_told_so(text: str) -> None:
    step, _, _ = await play(alert_about(SHOP, POD), lambda _: (text, False))

    assert isinstance(step, HandOver)
    assert "can't be read" in step.reason
    step.model_dump_json()


@given(st.lists(JSON | st.builds(lambda items: {"items": items}, st.lists(JSON, max_size=3)), min_size=1))
async def test_arbitrary_json_never_raises(documents: list[Any]) -> None:
    texts = iter([json.dumps(document) for document in documents] * 40)

    step, _, _ = await play(alert_about(SHOP, POD), lambda _: (next(texts), False))

    assert isinstance(step, HandOver)


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    name=st.sampled_from(
        ["image_pull", "out_of_memory", "probe_port", "liveness_port", "statefulset_image", "image_denied"]
    ),
)
async def test_whatever_is_twisted_in_real_evidence_proposals_stay_within_the_allowed_fields(
    data: st.DataObject, name: str
) -> None:
    case = load(name)
    number = data.draw(
        st.sampled_from([n for n, each in enumerate(case.evidence) if each.tool == "kubectl_get"])
    )
    document = json.loads(case.evidence[number].text)
    place = data.draw(st.sampled_from(places(document)))
    twisted = json.dumps(replaced(document, place, data.draw(JSON)))
    evidence = list(case.evidence)
    evidence[number] = evidence[number].model_copy(update={"text": twisted})

    step = (await RunbookDiagnostician().decide(replace(case, evidence=tuple(evidence)))).step

    step.model_dump_json()
    if isinstance(step, ProposePatch):
        _assert_harmless(step)


def _assert_harmless(step: ProposePatch) -> None:
    call = step.candidate.call
    assert refuse_call(call, BUILT_IN) is None
    assert isinstance(call.patch_data, dict)
    assert list(call.patch_data) == ["spec"]
    assert list(call.patch_data["spec"]) == ["template"]
    pod_spec = call.patch_data["spec"]["template"]["spec"]
    assert set(pod_spec) <= {"containers", "initContainers"}
    for container in (each for group in pod_spec.values() for each in group):
        fields = set(container) - {"name"}
        assert fields in ({"image"}, {"resources"}) or all(field.endswith("Probe") for field in fields)
        assert not str(container.get("image", "")).endswith(":latest")
        assert None not in _leaves(container)


def _leaves(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return [leaf for value in document.values() for leaf in _leaves(value)]
    return [document]


async def test_containers_that_are_being_made_are_looked_at_again_and_not_for_ever() -> None:
    creating = {"name": "app", "ready": False, "state": {"waiting": {"reason": "ContainerCreating"}}}
    cluster = shop(statuses=[creating])

    first, case, _ = await play(alert_about(SHOP, POD), cluster.answer)
    last = (await RunbookDiagnostician().decide(replace(case, rechecks=3))).step

    assert isinstance(first, LookAgain)
    assert isinstance(last, HandOver)
    assert "ContainerCreating" in last.reason


@pytest.mark.parametrize(("fixed_by", "keep"), [("image_pull", True), ("probe_port", False), ("", False)])
async def test_a_fault_that_only_shows_behind_the_mended_one_is_told_from_one_that_a_fix_has_caused(
    fixed_by: str,
    keep: bool,
) -> None:
    message = 'secret "db" not found'
    made = {"name": "app", "image": "a:1", "envFrom": [{"secretRef": {"name": "db"}}]}
    cluster = shop(containers=[made], statuses=[waiting("app", "CreateContainerConfigError", message)])

    step = await decide(cluster, fixed_by=fixed_by)

    assert isinstance(step, HandOver)
    assert step.keep is keep
