"""Verification against a cluster that plays one picture after the other: three verdicts, none cheap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.cluster.verification import Verifier
from graph.domain.alerts.targets import Target
from graph.domain.incident import Check, Verification
from graph.domain.proposal import Predicate, Proposal, VerificationPlan
from tests.unit.graph.domain.proposals import make_proposal
from tools.errors import ClusterUnreachable, ObjectNotFound

Picture = dict[str, Any]
HEALTHY: Picture = {
    "generation": 2, "observed": 2, "replicas": 3, "updated": 3, "ready": 3, "restarts": 0, "waiting": None,
    "image": "nginx:1.25",
}  # fmt: skip


class PlayedCluster:
    """An Observer that shows the given pictures in turn and stays at the last; an exception is raised."""

    def __init__(self, *pictures: Picture | Exception) -> None:
        self._pictures = list(pictures)

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        if kind == "Endpoints":
            if self._pictures[0].get("no_service"):  # type: ignore[union-attr]  # never an exception here
                raise ObjectNotFound("endpoints not found", code=404)
            addresses = [{"ip": "10.0.0.1"}] if self._pictures[0].get("endpoints", True) else []  # type: ignore[union-attr]  # never an exception here
            return {"kind": kind, "metadata": {"name": name}, "subsets": [{"addresses": addresses}]}
        picture = self._pictures[0]
        if isinstance(picture, Exception):
            self._advance()
            raise picture
        status = {
            "observedGeneration": picture["observed"],
            "replicas": picture.get("current", picture["replicas"]),
            "updatedReplicas": picture["updated"],
            "readyReplicas": picture["ready"],
            "availableReplicas": picture.get("available", picture["ready"]),
            "conditions": [refusal(picture["refused"])] if picture.get("refused") else [],
        }
        return {
            "kind": picture.get("kind", "Deployment"),
            "metadata": {
                "name": name,
                "namespace": "default",
                "uid": "uid-1",
                "generation": picture["generation"],
            },
            "spec": {
                "replicas": picture["replicas"],
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {"containers": [{"name": "nginx", "image": picture["image"]}]}},
            },
            "status": status,
        }

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        picture = self._pictures[0]
        assert isinstance(picture, dict)
        if kind == "Event":
            return list(picture.get("events", []))
        if kind == "ReplicaSet":
            return [{"metadata": {"name": "web-1", "uid": "rs-1", **_owned_by("uid-1")}}]
        self._advance()
        strangers = [
            _pod("other-0", "u-other", "rs-other", ready=False),
            _pod("web-x", "u-x", ready=False, phase="Failed"),
        ]
        waiting = {"waiting": {"reason": picture["waiting"]}} if picture["waiting"] else {"running": {}}
        ended = {"terminated": {"reason": "OOMKilled", "finishedAt": None}} if picture.get("crashed") else {}
        status = {
            "name": "nginx", "restartCount": picture["restarts"], "state": waiting, "lastState": ended,
        }  # fmt: skip
        pods = picture["pods"] if "pods" in picture else picture["replicas"]
        own = [
            _pod(f"web-{number}", str(number), ready=number < picture["ready"], statuses=[status])
            for number in range(pods)
        ]
        return [*own, *strangers]

    def _advance(self) -> None:
        if len(self._pictures) > 1:
            self._pictures.pop(0)


def refusal(message: str) -> dict[str, Any]:
    return {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}


def _owned_by(uid: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": "any", "name": "any", "uid": uid, "controller": True}]}


def _pod(name: str, uid: str, owner: str = "rs-1", **facts: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": uid, **_owned_by(owner)},
        "status": {
            "phase": facts.get("phase", "Running"),
            "conditions": [{"type": "Ready", "status": str(facts["ready"])}],
            "containerStatuses": facts.get("statuses", []),
        },
    }


async def ignore(checks: Sequence[Check]) -> None:
    """Take no notice of what a look shows."""


def plan(window: float = 0.02, budget: float = 0.2, *, services: tuple[str, ...] = ()) -> Proposal:
    predicates: tuple[Predicate, ...] = (
        "in_place", "observed_generation", "rollout_complete", "pods_ready", "restarts_stable",
        "symptom_gone",
    )  # fmt: skip
    return make_proposal(
        verification_plan=VerificationPlan(
            workload=Target(kind="Deployment", namespace="default", name="web"),
            predicates=(*predicates, "endpoints_present") if services else predicates,
            window_seconds=window,
            budget_seconds=budget,
            services=services,
        )
    )


async def judge(*pictures: Picture | Exception, proposal: Proposal | None = None) -> tuple[str, str]:
    verification = await Verifier(PlayedCluster(*pictures), interval_seconds=0.005).verify(
        proposal or plan(), ignore
    )
    return verification.verdict, verification.reason


async def test_a_workload_that_stays_healthy_over_the_window_is_verified() -> None:
    assert (await judge(HEALTHY))[0] == "verified"


@pytest.mark.parametrize(
    ("sick", "predicate"),
    [
        (HEALTHY | {"generation": 3}, "observed_generation"),
        (HEALTHY | {"updated": 2}, "rollout_complete"),
        (HEALTHY | {"current": 4}, "rollout_complete"),
        (HEALTHY | {"ready": 2}, "pods_ready"),
        (HEALTHY | {"pods": 4}, "pods_ready"),
        (HEALTHY | {"available": 0}, "rollout_complete"),
        (HEALTHY | {"replicas": 0, "updated": 0, "ready": 0}, "rollout_complete"),
        (HEALTHY | {"waiting": "ImagePullBackOff"}, "symptom_gone"),
        (HEALTHY | {"waiting": "CrashLoopBackOff"}, "symptom_gone"),
    ],
)
async def test_a_predicate_that_fails_to_the_end_means_not_verified(sick: Picture, predicate: str) -> None:
    verdict, reason = await judge(sick)

    assert verdict == "not_verified"
    assert predicate in reason


async def test_running_pods_that_are_not_ready_are_never_called_fixed() -> None:
    assert (await judge(HEALTHY | {"ready": 0}))[0] == "not_verified"


async def test_a_break_in_the_window_starts_it_again() -> None:
    break_late = [HEALTHY] * 3 + [HEALTHY | {"ready": 1}] * 100

    assert (await judge(*break_late, proposal=plan(window=0.1)))[0] == "not_verified"


async def test_a_container_that_restarts_now_and_then_is_not_stable() -> None:
    restarting = [HEALTHY | {"restarts": count // 2} for count in range(200)]

    assert (await judge(*restarting, proposal=plan(window=0.1)))[0] == "not_verified"


async def test_what_cannot_be_read_is_undetermined() -> None:
    verdict, reason = await judge(ClusterUnreachable("connection refused"))

    assert verdict == "undetermined"
    assert "connection refused" in reason


async def test_a_cluster_that_comes_back_is_judged_by_what_it_shows() -> None:
    assert (await judge(ClusterUnreachable("down"), ClusterUnreachable("down"), HEALTHY))[0] == "verified"


async def test_a_workload_that_is_gone_is_not_fixed() -> None:
    assert (await judge(ObjectNotFound("deployments.apps web not found", code=404)))[0] == "not_verified"


async def test_health_that_came_too_late_to_last_is_undetermined() -> None:
    verdict, reason = await judge(HEALTHY, proposal=plan(window=10, budget=0.05))

    assert verdict == "undetermined"
    assert "not yet" in reason


async def test_a_service_without_ready_addresses_is_not_fixed() -> None:
    verdict, reason = await judge(HEALTHY | {"endpoints": False}, proposal=plan(services=("web",)))

    assert verdict == "not_verified"
    assert "endpoints_present" in reason


async def test_each_change_of_the_picture_is_shown_once() -> None:
    shown: list[Sequence[Check]] = []

    async def show(checks: Sequence[Check]) -> None:
        shown.append(checks)

    cluster = PlayedCluster(HEALTHY | {"ready": 1}, HEALTHY | {"ready": 1}, HEALTHY)
    await Verifier(cluster, interval_seconds=0.001).verify(plan(), show)

    assert len(shown) == 2


async def test_a_change_that_somebody_replaced_proves_nothing() -> None:
    verdict, reason = await judge(HEALTHY | {"image": "nginx:1.27"})

    assert verdict == "undetermined"
    assert "changed since" in reason


async def test_a_service_that_is_gone_does_not_condemn_the_fix() -> None:
    verdict, _ = await judge(HEALTHY | {"no_service": True}, proposal=plan(services=("web",)))

    assert verdict == "undetermined"


FORBIDDEN = 'pods "web-1-" is forbidden: maximum memory usage per Container is 512Mi, but limit is 1Gi'
REFUSED = HEALTHY | {"updated": 0, "ready": 2, "refused": FORBIDDEN}


async def judge_patiently(*pictures: Picture, refused_seconds: float) -> Verification:
    cluster = PlayedCluster(*pictures)
    verifier = Verifier(cluster, interval_seconds=0.005, refused_seconds=refused_seconds)
    return await verifier.verify(plan(budget=600), ignore)


async def test_pods_that_the_api_server_refuses_end_the_wait_before_the_budget_is_used_up() -> None:
    verification = await judge_patiently(REFUSED, refused_seconds=0.02)

    assert (verification.verdict, verification.refused) == ("not_verified", FORBIDDEN)
    assert FORBIDDEN in verification.reason


async def test_a_refusal_that_passes_is_waited_for() -> None:
    verification = await judge_patiently(REFUSED, REFUSED, HEALTHY, refused_seconds=60)

    assert (verification.verdict, verification.refused) == ("verified", "")


@pytest.mark.parametrize("at", ["lastTimestamp", "eventTime"])
async def test_a_statefulset_s_refusal_is_told_by_events_since_the_change(at: str) -> None:
    about = {"reason": "FailedCreate", "message": FORBIDDEN, "involvedObject": {"uid": "uid-1"}}
    later, earlier = about | {at: "2100-01-01T00:00:00Z"}, about | {at: "2000-01-01T00:00:00Z"}
    picture = HEALTHY | {"kind": "StatefulSet", "updated": 0, "ready": 2}

    refused = await judge_patiently(picture | {"events": [later]}, refused_seconds=0.02)
    old = PlayedCluster(picture | {"events": [earlier, later | {"involvedObject": {"uid": "another"}}]})
    waited = await Verifier(old, interval_seconds=0.005, refused_seconds=0.01).verify(plan(), ignore)

    assert refused.refused == FORBIDDEN
    assert waited.refused == ""


@dataclass
class Acted:
    """An Observer of a healthy Deployment with one pod, which is as the scenes say, look by look."""

    scenes: list[list[dict[str, Any]]]
    cluster: PlayedCluster = field(default_factory=lambda: PlayedCluster(HEALTHY | {"replicas": 1}))

    async def get(self, kind: str, name: str, namespace: str | None) -> dict[str, Any]:
        document = await self.cluster.get(kind, name, namespace)
        one = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        return {**document, "status": {**document["status"], **one}}

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[dict[str, Any]]:
        if kind != "Pod":
            return await self.cluster.list(kind, namespace)
        return self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]


async def act(*scenes: list[dict[str, Any]], window: float = 0.05, budget: float = 0.3) -> Verification:
    verifier = Verifier(Acted(list(scenes)), interval_seconds=0.005)
    return await verifier.verify(plan(window, budget), ignore)


def pod(
    *statuses: dict[str, Any], uid: str = "u-1", init: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    made = _pod("web-0", uid, ready=True, statuses=[one for one in statuses if not one.get("init")])
    made["status"]["initContainerStatuses"] = [one for one in statuses if one.get("init")]
    made["spec"] = {"containers": [{"name": "nginx"}], **({"initContainers": [init]} if init else {})}
    return [made]


def container(restarts: int = 0, name: str = "nginx", **facts: Any) -> dict[str, Any]:
    running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    return {"name": name, "ready": True, "restartCount": restarts, "state": running, "lastState": {}, **facts}


def ended(code: int, reason: str, lived: float = 3, ago: float = 3) -> dict[str, Any]:
    end = datetime.now(UTC) - timedelta(seconds=ago)
    times = {"startedAt": (end - timedelta(seconds=lived)).isoformat(), "finishedAt": end.isoformat()}
    return {"terminated": {"exitCode": code, "reason": reason, **times}}


@pytest.mark.parametrize(
    ("code", "reason"), [(3, "Error"), (137, "OOMKilled"), (128, "StartError"), (0, "Completed")]
)
async def test_a_container_that_has_ended_is_a_symptom_even_where_its_pod_is_called_ready(
    code: int, reason: str
) -> None:
    verification = await act(pod(container(2, state=ended(code, reason))))

    assert verification.verdict == "not_verified"
    assert f"containers have ended: {reason} {code}" in verification.reason


async def test_an_init_container_that_has_done_its_work_is_no_symptom() -> None:
    done = container(name="migrate", init=True, state=ended(0, "Completed"))

    assert (await act(pod(done, container(), init={"name": "migrate"}))).verdict == "verified"


@pytest.mark.parametrize(
    ("init", "code"), [({"name": "helper"}, 1), ({"name": "helper", "restartPolicy": "Always"}, 0)]
)
async def test_an_init_container_that_failed_and_a_sidecar_that_ended_are_symptoms(
    init: dict[str, Any], code: int
) -> None:
    over = container(1, name="helper", init=True, state=ended(code, "Error"))

    assert (await act(pod(over, container(), init=init))).verdict == "not_verified"


async def test_a_container_between_two_crashes_must_outlive_twice_its_last_run() -> None:
    just_restarted = pod(container(4, lastState=ended(1, "Error", lived=0.1)))

    verification = await act(just_restarted, window=0.01, budget=60)

    assert verification.reason == "every check held for 0.2 s without a break"
    assert verification.stable_seconds >= 0.2


async def test_a_crash_of_long_ago_needs_no_longer_window() -> None:
    calm = pod(container(4, lastState=ended(1, "Error", lived=90, ago=3600)))

    reason = (await act(calm, window=0.01, budget=60)).reason

    assert reason == "every check held for 0.01 s without a break"


async def test_a_restart_in_a_moment_without_statuses_starts_the_window_again() -> None:
    scenes = [pod(container()), *([pod()] * 40), pod(container(1))]

    verification = await act(*scenes, window=0.05, budget=60)

    assert verification.verdict == "verified"
    assert verification.looks > len(scenes)


async def test_a_pod_whose_containers_have_no_status_is_not_verified_on_its_word() -> None:
    verification = await act(pod(container()), pod())

    assert verification.verdict == "undetermined"
    assert "the kubelet says nothing of nginx at this moment" in verification.reason


async def test_a_pod_that_replaces_another_within_the_window_starts_it_again() -> None:
    scenes = [pod(container(), uid=f"u-{number}") for number in range(400)]

    verification = await act(*scenes)

    assert verification.verdict == "undetermined"
    assert "younger than the window" in verification.reason


async def test_a_replacing_pod_that_was_restarted_before_it_was_first_seen_counts_as_restarted() -> None:
    scenes = [pod(container()), *(pod(container(2), uid=f"u-{number}") for number in range(400))]

    assert (await act(*scenes)).verdict == "not_verified"
