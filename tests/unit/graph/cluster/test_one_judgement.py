"""Diagnosis and verification judge the same objects the same: what one calls healthy, the other does too."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.cluster.health import judge_now
from graph.cluster.workloads import pods_of
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, Evidence
from graph.runbooks.collection.collection import investigate
from graph.runbooks.evidence.snapshot import Snapshot
from tests.unit.graph.runbooks.runbook_cases import alert_about

Object = dict[str, Any]
Change = Callable[["Objects"], None]
_PLURALS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
            "replicasets": "ReplicaSet", "pods": "Pod"}  # fmt: skip


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """A healthy workload of two pods as the API server shows it, read as verification and diagnosis do."""

    def __init__(self, kind: str) -> None:
        spec = {"containers": [{"name": "web", "image": "web:1"}], "restartPolicy": "Always"}
        self.workload: Object = {
            "kind": kind,
            "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web", "generation": 3},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": copy.deepcopy(spec)},
            },
            "status": {
                "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
                "availableReplicas": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
                "updatedNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2,
            },
        }  # fmt: skip
        self.replicasets: list[Object] = []
        if kind == "Deployment":
            self.replicasets = [self.replicaset("web-1", "rs-1", "uid-web")]
        owner = ("ReplicaSet", "web-1", "rs-1") if kind == "Deployment" else (kind, "web", "uid-web")
        self.pods = [self.pod(f"web-1-{name}", owner, spec) for name in "ab"]

    @staticmethod
    def replicaset(name: str, uid: str, deployment: str) -> Object:
        owner = {"kind": "Deployment", "name": "web", "uid": deployment, "controller": True}
        annotations = {"deployment.kubernetes.io/revision": "1"}
        metadata = {"name": name, "namespace": "shop", "uid": uid, "annotations": annotations}
        spec = {"template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}}
        return {
            "kind": "ReplicaSet", "metadata": metadata | {"ownerReferences": [owner]}, "spec": spec,
        }  # fmt: skip

    @staticmethod
    def pod(name: str, owner: tuple[str, str, str], spec: Object) -> Object:
        status = {
            "name": "web", "ready": True, "started": True, "restartCount": 0,
            "state": {"running": {"startedAt": ago(hours=1)}}, "lastState": {},
        }  # fmt: skip
        kind, by, uid = owner
        reference = {"kind": kind, "name": by, "uid": uid, "controller": True}
        return {
            "kind": "Pod",
            "metadata": {
                "name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": {"app": "web"},
                "ownerReferences": [reference],
            },
            "spec": copy.deepcopy(spec),
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [status],
            },
        }  # fmt: skip

    # as verification reads

    async def get(self, kind: str, name: str, namespace: str | None) -> Object:
        return self.workload

    async def list(
        self, kind: str, namespace: str | None, *, label_selector: str | None = None
    ) -> list[Object]:
        return {"Pod": self.pods, "ReplicaSet": self.replicasets}.get(kind, [])

    # as the diagnosis reads

    def answer(self, arguments: Object) -> str:
        kind = _PLURALS.get(arguments["resourceType"], arguments["resourceType"].capitalize())
        if "name" in arguments:
            return json.dumps(self.workload)
        listed = {"Pod": self.pods, "ReplicaSet": self.replicasets, self.workload["kind"]: [self.workload]}
        return json.dumps({"items": listed.get(kind, [])})

    def snapshot(self) -> Snapshot:
        case = alert_about(Target(kind=self.workload["kind"], namespace="shop", name="web"))
        for _ in range(10):
            step = investigate(case)
            if isinstance(step, Snapshot):
                return step
            assert isinstance(step, CallTools)
            answered = [
                Evidence(
                    id=f"E{number}", tool=call.tool, arguments=call.arguments, at=datetime.now(UTC),
                    text=self.answer(call.arguments), is_error=False,
                )
                for number, call in enumerate(step.calls, len(case.evidence) + 1)
            ]  # fmt: skip
            case = replace(case, evidence=(*case.evidence, *answered))
        raise AssertionError("the diagnosis asks for ever")


def workload(**status: int) -> Change:
    return lambda objects: objects.workload["status"].update(status)


def container(**status: Any) -> Change:
    def change(objects: Objects) -> None:
        seen = objects.pods[0]["status"]
        seen["containerStatuses"][0].update(status)
        seen["conditions"][0]["status"] = str(seen["containerStatuses"][0]["ready"])

    return change


def unready(objects: Objects) -> None:
    """Let a readiness gate hold the pod back, though all of its containers are ready."""
    objects.pods[0]["status"]["conditions"] = [{"type": "Ready", "status": "False"}]


def init(*, restart: str = "", **status: Any) -> Change:
    def change(objects: Objects) -> None:
        spec = {"name": "setup", "image": "setup:1"} | ({"restartPolicy": restart} if restart else {})
        for pod in objects.pods:
            pod["spec"]["initContainers"] = [spec]
            pod["status"]["initContainerStatuses"] = [{"name": "setup", "restartCount": 0} | status]
        objects.workload["spec"]["template"]["spec"]["initContainers"] = [spec]

    return change


def extra_pod(change: Callable[[Object], None]) -> Change:
    def add(objects: Objects) -> None:
        pod = copy.deepcopy(objects.pods[0])
        pod["metadata"] |= {"name": "web-x", "uid": "uid-x"}
        change(pod)
        objects.pods.append(pod)

    return add


def ended(code: int, *, finished: str | None, reason: str = "Error") -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": finished}}


BROKEN = {"ready": False, "restartCount": 4}
SITUATIONS: dict[str, tuple[bool, Change]] = {
    "all is well": (True, lambda _: None),
    "the controller hasn't seen the change yet": (False, workload(observedGeneration=2)),
    "fewer are of the newest template": (False, workload(updatedReplicas=1, updatedNumberScheduled=1)),
    "fewer are ready": (False, workload(readyReplicas=1, numberReady=1)),
    "ready, but not yet for as long as asked": (False, workload(availableReplicas=1, numberAvailable=1)),
    "an old pod is left over": (False, workload(replicas=3, currentNumberScheduled=3)),
    "a readiness gate holds a pod back": (False, unready),
    "a container waits for its image": (
        False, container(**BROKEN, state={"waiting": {"reason": "ImagePullBackOff"}}),
    ),
    "a container waits to be restarted": (
        False, container(**BROKEN, state={"waiting": {"reason": "CrashLoopBackOff"}}),
    ),
    "a container can't be configured": (
        False, container(**BROKEN, state={"waiting": {"reason": "CreateContainerConfigError"}}),
    ),
    "a container is only being created": (
        False, container(ready=False, state={"waiting": {"reason": "ContainerCreating"}}),
    ),
    "a container has ended and isn't restarted yet": (
        False, container(**BROKEN, state=ended(1, finished=ago(seconds=5))),
    ),
    "a container that should run for ever ended well": (
        False, container(**BROKEN, state=ended(0, finished=ago(seconds=5), reason="Completed")),
    ),
    "a container runs again since a minute": (
        False,
        container(
            restartCount=4, state={"running": {"startedAt": ago(minutes=1)}},
            lastState=ended(137, finished=ago(minutes=1), reason="OOMKilled"),
        ),
    ),
    "a container runs again since an hour": (
        True,
        container(
            restartCount=4, state={"running": {"startedAt": ago(hours=1)}},
            lastState=ended(137, finished=ago(hours=1), reason="OOMKilled"),
        ),
    ),
    "a node forgot when a container ended, and it runs since a minute": (
        False,
        container(
            restartCount=4, state={"running": {"startedAt": ago(minutes=1)}},
            lastState=ended(255, finished=None, reason="Unknown"),
        ),
    ),
    "a restart whose end the kubelet has forgotten": (
        False, container(restartCount=4, state={"running": {"startedAt": ago(minutes=1)}}),
    ),
    "an init container has done its work": (True, init(state=ended(0, finished=ago(minutes=2)))),
    "an init container failed once, and then did its work": (
        True,
        init(
            restartCount=1, state=ended(0, finished=ago(minutes=2)),
            lastState=ended(1, finished=ago(minutes=3)),
        ),
    ),
    "an init container fails": (False, init(restartCount=3, state=ended(1, finished=ago(seconds=9)))),
    "a sidecar runs": (
        True, init(restart="Always", ready=True, state={"running": {"startedAt": ago(hours=1)}}),
    ),
    "a sidecar has ended": (
        False, init(restart="Always", restartCount=2, state=ended(0, finished=ago(seconds=9))),
    ),
    "a sidecar was restarted a minute ago": (
        False,
        init(
            restart="Always", ready=True, restartCount=2, state={"running": {"startedAt": ago(minutes=1)}},
            lastState=ended(1, finished=ago(minutes=1)),
        ),
    ),
    "an evicted pod is still listed": (True, extra_pod(lambda pod: pod["status"].update(phase="Failed"))),
    "a pod is being deleted": (
        True, extra_pod(lambda pod: pod["metadata"].update(deletionTimestamp=ago(seconds=3))),
    ),
    "another controller's pod has the same labels": (
        True,
        extra_pod(
            lambda pod: (
                pod["metadata"]["ownerReferences"][0].update(uid="uid-other", name="other"),
                pod["status"].update(conditions=[]),
            )[0]
        ),
    ),
    "a pod of nobody has the same labels": (
        True, extra_pod(lambda pod: pod["metadata"].pop("ownerReferences")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_both_judge_a_workload_the_same(kind: str, situation: str) -> None:
    healthy, change = SITUATIONS[situation]
    objects = Objects(kind)
    change(objects)

    fault = await judge_now(objects, Target(kind=kind, namespace="shop", name="web"))
    snapshot = objects.snapshot()

    assert (fault is None, snapshot.is_healthy) == (healthy, healthy), fault
    own = {pod["metadata"]["name"] for pod in await pods_of(objects, objects.workload)}
    assert own == {pod.metadata.name for pod in snapshot.pods.value}
