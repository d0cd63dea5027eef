"""The cluster's inner life on a clock that the tests turn: no waiting, no network."""

import random
from typing import Any

import pytest

from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.images import KNOWN_IMAGES, Catalogue, Death, ImageRule
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.api_server.writes import Writer
from tools.sandbox.controllers.containers import go_duration
from tools.sandbox.controllers.rollout import hash_template
from tools.sandbox.controllers.simulation import Simulation
from tools.sandbox.controllers.timing import SandboxTiming


class TurnedClock:
    """A cluster whose time passes only in `run`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = Store()
        self.writer = Writer(self.store)
        dice = random.Random(1)
        self.catalogue = Catalogue(dict(KNOWN_IMAGES.images))
        self.simulation = Simulation(self.store, SandboxTiming(), self.catalogue, lambda: self.now, dice)

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 20)):
            self.now += 0.05
            self.simulation.step()

    def apply(self, replicas: int = 3, strategy: Object | None = None, **container: Any) -> None:
        pod = {"containers": [{"name": "app", "image": "nginx:1.25", **container}]}
        spec: Object = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod},
        }
        if strategy is not None:
            spec["strategy"] = strategy
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
        self.writer.apply(find_kind("deployment"), manifest)

    def status(self) -> Object:
        found = self.store.find("Deployment", "default", "web")
        assert found is not None
        status: Object = found["status"]
        return status

    def images(self) -> list[str]:
        return sorted(pod["spec"]["containers"][0]["image"] for pod in self.store.select("Pod"))


@pytest.fixture
def world() -> TurnedClock:
    return TurnedClock()


def test_a_rolling_update_never_drops_below_what_must_be_available(world: TurnedClock) -> None:
    world.apply(replicas=4)
    world.run(3)
    world.apply(replicas=4, image="nginx:1.26")

    least, most = 4, 4
    for _ in range(100):
        world.run(0.05)
        least = min(least, world.status().get("availableReplicas", 0))
        alive = [pod for pod in world.store.select("Pod") if "deletionTimestamp" not in pod["metadata"]]
        most = max(most, len(alive))

    assert (least, most) == (3, 5)
    assert world.images() == ["nginx:1.26"] * 4


def test_a_broken_rollout_stays_stuck_with_the_old_pods_ready(world: TurnedClock) -> None:
    world.apply(replicas=4)
    world.run(3)
    world.apply(replicas=4, image="nginx:9")

    world.run(60)

    assert world.images() == ["nginx:1.25"] * 3 + ["nginx:9"] * 2
    assert world.status()["availableReplicas"] == 3
    assert world.status()["updatedReplicas"] == 2


def test_recreate_ends_the_old_pods_before_it_makes_new_ones(world: TurnedClock) -> None:
    world.apply(strategy={"type": "Recreate"})
    world.run(3)
    world.apply(strategy={"type": "Recreate"}, image="nginx:1.26")

    seen = set()
    for _ in range(60):
        world.run(0.05)
        seen.add(tuple(sorted(set(world.images()))))

    assert seen == {("nginx:1.25",), ("nginx:1.26",)} | ({()} & seen)
    assert world.images() == ["nginx:1.26"] * 3


def test_old_revisions_are_kept_up_to_the_limit(world: TurnedClock) -> None:
    for number in range(14):
        world.apply(replicas=0, args=[str(number)])
        world.run(0.2)

    kept = world.store.select("ReplicaSet")

    assert len(kept) == 11


def test_a_failing_liveness_probe_restarts_the_container(world: TurnedClock) -> None:
    world.apply(
        replicas=1, livenessProbe={"tcpSocket": {"port": 81}, "failureThreshold": 2, "periodSeconds": 1}
    )

    world.run(6)

    (pod,) = world.store.select("Pod")
    assert pod["status"]["containerStatuses"][0]["restartCount"] >= 1
    reasons = {event["reason"] for event in world.store.select("Event")}
    assert {"Unhealthy", "Killing"} <= reasons


@pytest.mark.parametrize(
    ("death", "container", "dies"),
    [
        (Death("unknown flag", word="--prot"), {"args": ["--prot=80"]}, True),
        (Death("unknown flag", word="--prot"), {"args": ["--port=80"]}, False),
        (Death("no such host", word="postgers"), {"env": [{"name": "DB", "value": "postgers:1"}]}, True),
        (Death("not set", lacks="DB"), {}, True),
        (Death("not set", lacks="DB"), {"env": [{"name": "DB", "value": "x"}]}, False),
        (Death("panic", tag="2"), {"image": "app:2"}, True),
        (Death("panic", tag="2"), {"image": "app:1"}, False),
        (Death("panic", tag="2", lacks="DB"), {"image": "app:1"}, False),
    ],
)
def test_a_program_dies_of_what_its_image_cannot_live_with(
    world: TurnedClock, death: Death, container: Object, dies: bool
) -> None:
    world.catalogue.images["app"] = ImageRule(frozenset({"1", "2"}), deaths=(death,))
    world.apply(replicas=1, **{"image": "app:1", **container})

    world.run(6)

    (pod,) = world.store.select("Pod")
    status = pod["status"]["containerStatuses"][0]
    ended = status["lastState"].get("terminated", {})
    assert (status["restartCount"] > 0, ended.get("exitCode")) == ((True, 1) if dies else (False, None))


def test_a_path_that_the_program_does_not_know_fails_the_probe(world: TurnedClock) -> None:
    world.catalogue.images["app"] = ImageRule(frozenset({"1"}), frozenset({80}), paths=frozenset({"/ok"}))
    world.apply(replicas=1, image="app:1", readinessProbe={"httpGet": {"path": "/no", "port": 80}})

    world.run(3)

    told = [one["message"] for one in world.store.select("Event") if one["reason"] == "Unhealthy"]
    assert told == ["Readiness probe failed: HTTP probe failed with statuscode: 404"]
    assert "readyReplicas" not in world.status()


def test_a_pod_without_a_controller_lives_too(world: TurnedClock) -> None:
    spec = {"containers": [{"name": "app", "image": "nginx:1.25"}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "toolbox"}, "spec": spec}
    world.writer.apply(find_kind("pod"), manifest)

    world.run(3)

    (pod,) = world.store.select("Pod")
    assert pod["status"]["phase"] == "Running"


def test_a_startup_probe_holds_readiness_back(world: TurnedClock) -> None:
    world.apply(replicas=1, startupProbe={"tcpSocket": {"port": 81}, "failureThreshold": 1000})

    world.run(5)

    (pod,) = world.store.select("Pod")
    status = pod["status"]["containerStatuses"][0]
    assert (status["started"], status["ready"], "running" in status["state"]) == (False, False, True)


def test_repeated_events_are_counted_not_repeated(world: TurnedClock) -> None:
    world.apply(replicas=1, image="nginx:9")

    world.run(30)

    pulls = [event for event in world.store.select("Event") if event["reason"] == "Pulling"]
    assert len(pulls) == 1
    assert pulls[0]["count"] > 2


def test_a_missing_configmap_is_picked_up_when_it_comes(world: TurnedClock) -> None:
    world.apply(replicas=1, envFrom=[{"configMapRef": {"name": "settings"}}])
    world.run(3)
    before = world.status().get("readyReplicas", 0)

    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"A": "1"}}
    world.writer.apply(find_kind("configmap"), config)
    world.run(3)

    assert (before, world.status()["readyReplicas"]) == (0, 1)


def test_a_paused_deployment_doesnt_roll(world: TurnedClock) -> None:
    world.apply()
    world.run(3)
    deployment = world.store.find("Deployment", "default", "web")
    assert deployment is not None
    deployment["spec"]["paused"] = True
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.26"
    world.store.replace(deployment)

    world.run(3)

    assert world.images() == ["nginx:1.25"] * 3


def test_an_idle_cluster_writes_nothing(world: TurnedClock) -> None:
    world.apply()
    world.run(5)
    before = world.store.version

    world.run(5)

    assert world.store.version == before


def test_the_template_hash_ignores_itself_and_uses_safe_letters() -> None:
    template: Object = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    hashed = {**template, "metadata": {"labels": {"app": "web", "pod-template-hash": "x"}}}

    assert hash_template(template) == hash_template(hashed)
    assert set(hash_template(template)) <= set("bcdfghjklmnpqrstvwxz2456789")


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
def test_back_offs_are_written_as_go_writes_durations(seconds: int, text: str) -> None:
    assert go_duration(seconds) == text
