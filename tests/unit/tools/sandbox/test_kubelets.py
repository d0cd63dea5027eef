"""The sandbox's kubelets, current and older, held to what a Kubernetes 1.36 was recorded to answer."""

import random
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graph.cluster.container_status import ContainerStatus
from tests.unit.tools.recordings import recorded
from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.access import Access
from tools.sandbox.api_server.images import KNOWN_IMAGES, Catalogue, Death, ImageRule
from tools.sandbox.api_server.kubelet_age import CURRENT, OLDER, KubeletAge
from tools.sandbox.api_server.patching.go_text import write_go
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.api_server.writes import Writer
from tools.sandbox.controllers.logs import LogReader
from tools.sandbox.controllers.simulation import Simulation
from tools.sandbox.controllers.timing import SandboxTiming
from tools.sandbox.rest import ApiServer

AGES = pytest.mark.parametrize("age", [CURRENT, OLDER], ids=["current", "older"])
FATAL = "FATAL: config key DB_URL is missing"
UNKNOWN = 'exec: "srever": executable file not found in $PATH: unknown'
STRATEGIC = {"content-type": "application/strategic-merge-patch+json", "authorization": "Bearer w"}


class World:
    """A cluster whose time passes only in `run`, and whose API is asked without a network."""

    def __init__(self, age: KubeletAge) -> None:
        deaths = (Death(FATAL, tag="2"), Death(UNKNOWN, word="srever", starts=False))
        images = {"app": ImageRule(frozenset({"1", "2"}), logs=("starting",), deaths=deaths)}
        self.now, self.store = 0.0, Store()
        self.writer = Writer(self.store)
        self.simulation = Simulation(
            self.store, SandboxTiming(), Catalogue({**KNOWN_IMAGES.images, **images}), lambda: self.now,
            random.Random(1), age=age,
        )  # fmt: skip
        logs = LogReader(self.store, self.simulation.kubelet)
        server = ApiServer(self.store, Access("r", "w"), self.writer, logs, age)
        app: Starlette = server.application([])
        self.client = TestClient(app, headers={"authorization": "Bearer r"})

    def run(self, seconds: float) -> list[ContainerStatus]:
        """Let time pass; return what the only pod's container showed, each state once, in their order."""
        seen: list[ContainerStatus] = []
        for _ in range(int(seconds * 20)):
            self.now += 0.05
            self.simulation.step()
            for pod in self.store.select("Pod"):
                for status in pod.get("status", {}).get("containerStatuses") or []:
                    shown = ContainerStatus.model_validate(status)
                    seen += [shown] if not seen or seen[-1] != shown else []
        return seen

    def apply(self, name: str = "web", replicas: int = 1, **container: Any) -> None:
        pod = {"containers": [{"name": "app", "image": "app:1", **container}]}
        template = {"metadata": {"labels": {"app": name}}, "spec": pod}
        spec: Object = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
        }
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
        self.writer.apply(find_kind("deployment"), manifest)

    def pod(self) -> Object:
        (pod,) = self.store.select("Pod")
        return pod

    def log(self, **query: str) -> tuple[int, str]:
        path = f"{find_kind('pod').path('default', self.pod()['metadata']['name'])}/log"
        answer = self.client.get(path, params=query)
        return answer.status_code, answer.text

    def await_state(self, state: str, restarts: int) -> Object:
        """Let time pass until the container is in a state after so many restarts; return its status."""
        for _ in range(4000):
            self.run(0.05)
            (status,) = self.pod()["status"]["containerStatuses"]
            if state in status["state"] and status["restartCount"] >= restarts:
                found: Object = status
                return found
        raise AssertionError(f"the container was never {state}")


def name_state(status: ContainerStatus) -> str:
    end, waiting = status.state.terminated, status.state.waiting
    return end.reason if end else waiting.reason if waiting else "running"


def test_a_current_kubelet_leaves_a_crashed_container_ended_for_most_of_the_back_off() -> None:
    world = World(CURRENT)
    world.apply(image="app:2")

    loop = [name_state(one) for one in world.run(14) if one.restart_count >= 2]

    assert loop[:4] == ["running", "Error", "CrashLoopBackOff", "running"], loop


def test_an_older_kubelet_lets_it_wait_all_the_time() -> None:
    world = World(OLDER)
    world.apply(image="app:2")
    world.await_state("terminated", 2)

    ended = world.await_state("waiting", 2)

    assert ended["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert ended["lastState"]["terminated"]["reason"] == "Error"
    assert {name_state(one) for one in world.run(1)} == {"CrashLoopBackOff"}


def test_an_ended_container_looks_as_recorded() -> None:
    world = World(CURRENT)
    world.apply(image="app:2")
    status = world.await_state("terminated", 1)
    (real,) = recorded("crash-loop-terminated")["response"]["status"]["containerStatuses"]

    for part in ("state", "lastState"):
        assert status[part]["terminated"].keys() == real[part]["terminated"].keys()
    assert status["state"]["terminated"]["containerID"] == status["containerID"]
    assert status["lastState"]["terminated"]["containerID"] != status["containerID"]
    for part in ("ready", "started", "restartCount"):
        assert status[part] == real[part]


def test_the_logs_of_a_crash_loop_are_as_recorded() -> None:
    world = World(CURRENT)
    world.apply(image="app:2")
    status = world.await_state("terminated", 2)

    now, before = world.log(container="app"), world.log(container="app", previous="true")

    lost = status["lastState"]["terminated"]["containerID"]
    assert now == (200, f"starting\n{FATAL}\n")
    assert now[1] == recorded("crash-loop-log")["response"]
    assert before == (200, f"unable to retrieve container logs for {lost}\n")
    assert before[1].startswith(recorded("crash-loop-log-previous")["response"].partition("containerd://")[0])
    world.await_state("running", 3)
    assert world.log(previous="true") == (200, f"starting\n{FATAL}\n")


def test_an_older_kubelet_gives_the_last_ended_runs_log_as_the_previous_one() -> None:
    world = World(OLDER)
    world.apply(image="app:2")
    world.await_state("waiting", 2)

    assert world.log(previous="true") == (200, f"starting\n{FATAL}\n")


@AGES
def test_no_log_of_a_run_before_the_first_is_refused(age: KubeletAge) -> None:
    world = World(age)
    world.apply(image="app:2")
    world.await_state("terminated", 0)

    assert world.log(previous="true")[0] == 400


@AGES
def test_a_program_that_cannot_be_started_is_told_with_the_runtimes_words(age: KubeletAge) -> None:
    world = World(age)
    world.apply(command=["srever"])

    shown = [one for one in world.run(14) if one.restart_count >= 1]

    assert {"RunContainerError", "CrashLoopBackOff"} == {name_state(one) for one in shown}
    ended = shown[-1].last_state.terminated
    assert ended is not None
    assert (ended.reason, ended.exit_code, ended.message) == ("StartError", 128, UNKNOWN)


def test_a_pods_status_says_of_which_generation_it_is_as_recorded() -> None:
    def conditions(pod: Object) -> set[tuple[str, frozenset[str]]]:
        return {(one["type"], frozenset(one)) for one in pod["status"]["conditions"]}

    world = World(CURRENT)
    world.apply()
    world.run(3)
    real = recorded("crash-loop-running")["response"]

    pod = world.pod()

    assert conditions(pod) == conditions(real)
    for part in ("observedGeneration", "phase"):
        assert pod["status"][part] == real["status"][part]
    assert pod["metadata"]["generation"] == real["metadata"]["generation"]
    assert {"hostIPs", "podIPs", "startTime"} <= pod["status"].keys() & real["status"].keys()


def test_a_deployments_status_is_as_recorded() -> None:
    world = World(CURRENT)
    world.apply(replicas=2)
    world.run(3)
    found = world.store.find("Deployment", "default", "web")
    assert found is not None
    real = recorded("deployment-available")["response"]["status"]

    assert found["status"].keys() == real.keys()
    assert {key: found["status"][key] for key in real if key != "conditions"} == {
        key: value for key, value in real.items() if key != "conditions"
    }


@AGES
def test_server_and_nodes_are_of_one_version_and_say_that_they_are_a_sandbox(age: KubeletAge) -> None:
    world = World(age)

    version = world.client.get("/version").json()

    assert version["gitVersion"] == f"v{age.version}-sandbox"
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in world.store.select("Node")} == {
        version["gitVersion"]
    }
    if age == CURRENT:
        real = recorded("version")["response"]
        assert (version["minor"], age.version) == (real["minor"], real["gitVersion"].removeprefix("v"))


def test_events_are_worded_as_recorded() -> None:
    world = World(CURRENT)
    world.apply(image="app:2")
    world.await_state("running", 2)
    told = {event["reason"]: event["message"] for event in world.store.select("Event")}
    real = {each["reason"]: each["message"] for each in recorded("crash-loop-events")["response"]["items"]}

    for reason in ("Created", "Started"):
        assert told[reason] == real[reason]
    assert real["Pulled"].replace("busybox:1.36", "app:2") in {
        event["message"] for event in world.store.select("Event")
    }
    assert real["BackOff"].partition(" in pod ")[0] == told["BackOff"].partition(" in pod ")[0]


def send(validation: str) -> tuple[Any, World]:
    """Send the recorded patch with a misspelt field to the same Deployment."""
    world = World(CURRENT)
    world.apply(replicas=2)
    world.run(3)
    body = recorded("unknown-field-warned")["request"]["body"]
    params = {"dryRun": "All", **({"fieldValidation": validation} if validation else {})}
    path = find_kind("deployment").path("default", "web")
    return world.client.patch(path, json=body, headers=STRATEGIC, params=params), world


@pytest.mark.parametrize("validation", ["Warn", ""])
def test_an_unknown_field_is_warned_of_as_recorded(validation: str) -> None:
    real = recorded("unknown-field-warned")

    answer, world = send(validation)

    assert (answer.status_code, answer.headers["warning"]) == (real["status"], real["headers"]["Warning"])
    assert answer.json() == world.store.find("Deployment", "default", "web")


def test_an_unknown_field_is_refused_as_recorded() -> None:
    real = recorded("unknown-field-refused")

    answer, _ = send("Strict")

    assert (answer.status_code, answer.json()) == (real["status"], real["response"])
    assert "warning" not in answer.headers


def test_an_unknown_field_is_dropped_without_a_word_where_that_is_asked_for() -> None:
    answer, _ = send("Ignore")

    assert answer.status_code == 200
    assert "warning" not in answer.headers


def test_values_are_quoted_as_go_prints_them() -> None:
    document = {"b": [{"name": "app"}, 1, True, None], "a": {"c": "x y"}}

    assert write_go(document) == "map[a:map[c:x y] b:[map[name:app] 1 true <nil>]]"
