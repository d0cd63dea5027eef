"""A kubelet that doesn't answer keeps a log away: the rest is diagnosed, and the lack is said."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, ReadCall, Step
from tests.unit.graph.runbooks.runbook_cases import (
    POD,
    SHOP,
    MadeUpCluster,
    alert_about,
    killed,
    named,
    play,
    runbook_of,
    running,
    waiting,
)

REFUSED = 'Get "https://10.0.0.7:10250/containerLogs/default/shop/app": dial tcp: connect: connection refused'
UNAPPROVED = 'Get "https://10.0.0.7:10250/containerLogs/default/shop/app": remote error: tls: internal error'
CRASHED: dict[str, Any] = {
    **waiting("app", "CrashLoopBackOff"),
    "restartCount": 7,
    "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
}


def fails(code: int | None, message: str) -> str:
    return json.dumps({"error": {"code": code, "reason": "", "message": message}})


@dataclass
class Silent(MadeUpCluster):
    """A cluster whose logs can't be read; its pod is on node worker-7."""

    error: str = ""
    ready: str = "True"

    def answer(self, call: ReadCall) -> tuple[str, bool]:
        if call.tool == "kubectl_logs":
            return self.error, True
        return super().answer(call)

    @property
    def pod(self) -> dict[str, Any]:
        made = super().pod
        return {**made, "spec": {**made["spec"], "nodeName": "worker-7"}}


def crashing(error: str, ready: str = "True", status: dict[str, Any] = CRASHED, **changes: Any) -> Silent:
    node = named("worker-7", status={"conditions": [{"type": "Ready", "status": ready, "message": "silent"}]})
    containers = [{"name": "app", "image": "shop/api:1.0"}]
    lists = {"nodes": [node]}
    return Silent(containers, [status], error=error, lists=lists, **changes)


async def decide(cluster: Silent) -> Step:
    step, _, _ = await play(alert_about(SHOP, POD), cluster.answer)
    return step


@pytest.mark.parametrize("code", [500, 502, 504, None])
async def test_a_node_that_does_not_answer_is_itself_a_finding(code: int | None) -> None:
    step = await decide(crashing(fails(code, REFUSED)))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert step.diagnosis.runbook == "silent_nodes"
    assert [each.name for each in step.diagnosis.root_causes] == ["worker-7"]
    assert "connection refused" in step.diagnosis.cause
    assert any("systemctl status kubelet" in line for line in step.advice)
    assert not any("certificate" in line for line in step.advice)


async def test_the_termination_message_which_is_kept_elsewhere_comes_first() -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 1, "message": "open /dev/sdr0: permission denied"}}

    step = await decide(crashing(fails(500, REFUSED), status={**CRASHED, "lastState": ended}))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    says = 'Container app ended with exit code 1 and the message "open /dev/sdr0: permission denied".'
    assert step.diagnosis.cause.startswith(says)


async def test_a_kubelet_without_an_approved_certificate_is_told_by_its_words() -> None:
    step = await decide(crashing(fails(500, UNAPPROVED)))

    assert isinstance(step, HandOver)
    assert "kubectl get csr" in step.advice[0]


async def test_a_node_that_is_not_ready_either_is_found_by_that() -> None:
    step = await decide(crashing(fails(502, REFUSED), ready="Unknown"))

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert step.diagnosis.runbook == "lost_nodes"
    assert "without the log of container app" in step.reason


async def test_what_is_known_without_the_log_is_proposed_and_the_lack_is_said() -> None:
    limited = {"name": "app", "image": "shop/api:1.0", "resources": {"limits": {"memory": "64Mi"}}}
    cluster = crashing(fails(502, REFUSED), status=killed("app"))
    cluster.containers = [limited]

    step = await decide(cluster)

    assert isinstance(step, ProposePatch)
    assert "without the log of container app" in step.reason
    assert "connection refused" in step.diagnosis.cause


async def test_a_log_that_may_not_be_read_is_said_and_blames_no_node() -> None:
    step = await decide(crashing(fails(403, "pods/log is forbidden")))

    assert isinstance(step, HandOver)
    assert not runbook_of(step)
    assert "pods/log is forbidden" in step.reason


@pytest.mark.parametrize("code", [400, 404])
async def test_a_run_that_left_no_log_is_no_fault(code: int) -> None:
    step = await decide(crashing(fails(code, "previous terminated container not found"), status=CRASHED))

    assert isinstance(step, HandOver)
    assert "without the log" not in step.reason


async def test_a_silent_kubelet_is_no_finding_while_the_pods_are_well() -> None:
    cluster = crashing(fails(502, REFUSED), status=running("app", ready=True), ready_older=1)

    assert not isinstance(await decide(cluster), HandOver)


@dataclass
class Refusing(MadeUpCluster):
    """A cluster in which lists of some kinds can't be read."""

    refused: tuple[str, ...] = ()

    def answer(self, call: ReadCall) -> tuple[str, bool]:
        if call.arguments["resourceType"] in self.refused and "name" not in call.arguments:
            return fails(403, f"{call.arguments['resourceType']} is forbidden"), True
        return super().answer(call)


@pytest.mark.parametrize("kind", ["events", "replicasets", "deployments"])
async def test_a_list_that_cannot_be_read_is_gone_without_and_that_is_said(kind: str) -> None:
    pulls = [waiting("app", "ImagePullBackOff", 'Back-off pulling image "shop/api:1.2-"')]
    older = [[{"name": "app", "image": "shop/api:1.1"}]]
    cluster = Refusing([{"name": "app", "image": "shop/api:1.2-"}], pulls, older=older, refused=(kind,))

    step, _, _ = await play(alert_about(SHOP, POD), cluster.answer)

    assert isinstance(step, HandOver | ProposePatch)
    assert step.diagnosis is not None
    assert f"This was found without the {kind} ({kind} is forbidden [E" in step.diagnosis.cause
    assert step.reason.count("found without") == 1


async def test_of_healthy_pods_too_it_is_said_what_was_not_read() -> None:
    cluster = Refusing(
        [{"name": "app", "image": "shop/api:1.0"}], [running("app", ready=True)], ready_older=1
    )
    cluster.refused = ("events", "services")

    step, _, _ = await play(alert_about(SHOP, POD), cluster.answer)

    assert "is healthy" in step.reason
    assert "This was found without the events" in step.reason
    assert "the services (services is forbidden" in step.reason
