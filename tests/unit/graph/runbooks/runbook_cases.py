"""Cases for the runbook tests: evidence recorded from a real API server, and a small cluster made of dicts.

The recordings were made with the project's own reading tools. The made-up cluster answers the same calls, so
that a test can say in a few lines what differs.
"""

import copy
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import CallTools, Evidence, ProposePatch, ReadCall, Step
from graph.ports import Case
from graph.runbooks import RunbookDiagnostician

RECORDINGS = Path(__file__).parents[3] / "data" / "runbooks"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
POD = "shop-698c8b469-882fm"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
Object = dict[str, Any]
Answer = Callable[[ReadCall], tuple[str, bool]]


def load(name: str) -> Case:
    """Return a recorded case whose evidence is complete."""
    recorded = json.loads((RECORDINGS / f"{name}.json").read_text())
    return Case(
        group=AlertGroup.model_validate(recorded["alert"]),
        target=Target.model_validate(recorded["target"]),
        evidence=tuple(Evidence.model_validate(each) for each in recorded["evidence"]),
        failed_attempts=(),
        tried=(),
    )


def alert_about(target: Target, pod: str | None = None) -> Case:
    """Return a case at its beginning: one firing alert, no evidence."""
    labels = {"alertname": "KubePodNotReady", "namespace": "default"} | ({"pod": pod} if pod else {})
    alert = {"status": "firing", "labels": labels, "startsAt": NOW.isoformat(), "fingerprint": "f"}
    group = {"version": "4", "groupKey": "g", "status": "firing", "receiver": "r", "alerts": [alert]}
    return Case(AlertGroup.model_validate(group), target, (), (), ())


async def play(case: Case, answer: Answer, most_steps: int = 10) -> tuple[Step, Case, list[CallTools]]:
    """Let the mind ask until it decides; return the decision, the case by then, and the questions."""
    asked: list[CallTools] = []
    for _ in range(most_steps):
        step = (await RunbookDiagnostician().decide(case)).step
        if not isinstance(step, CallTools):
            return step, case, asked
        asked.append(step)
        case = replace(case, evidence=(*case.evidence, *_answers(step.calls, answer, len(case.evidence))))
    raise AssertionError(f"no decision after {most_steps} steps")


def _answers(calls: Iterable[ReadCall], answer: Answer, before: int) -> Iterable[Evidence]:
    for number, call in enumerate(calls, start=before + 1):
        text, is_error = answer(call)
        fields = {"tool": call.tool, "arguments": call.arguments, "text": text, "is_error": is_error}
        yield Evidence.model_validate({**fields, "id": f"E{number}", "at": NOW})


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document, the whole first."""
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [path, *(place for key, value in children for place in places(value, (*path, key)))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the document with another value at a place."""
    if not path:
        return value
    copied = dict(document) if isinstance(document, dict) else list(document)
    copied[path[0]] = replaced(copied[path[0]], path[1:], value)
    return copied


@dataclass
class MadeUpCluster:
    """Answers the reading tools from dicts: a Deployment `shop` with one pod of its newest revision."""

    containers: list[Object]
    statuses: list[Object]
    init_containers: list[Object] = field(default_factory=list)
    init_statuses: list[Object] = field(default_factory=list)
    older: list[list[Object]] = field(default_factory=list)
    """Containers of the older revisions, the oldest first."""
    ready_older: int = 0
    """How many pods of the last older revision are ready."""
    warnings: list[str] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    """Made with `event`."""
    spec: Object = field(default_factory=dict)
    """What the template's pod has beside its containers."""
    older_specs: list[Object] = field(default_factory=list)
    """The same of the older revisions, the oldest first."""
    log: str = "booting\nlistening\n"
    condition: Object | None = None
    """A condition of the pod."""
    no_pods: bool = False
    lists: dict[str, list[Object]] = field(default_factory=dict)
    """Other kinds' objects, by their plural."""
    siblings: list[Object] = field(default_factory=list)
    services: list[Object] = field(default_factory=list)
    name: str = "shop"
    """The Deployment's."""
    conditions: list[Object] = field(default_factory=list)
    """The Deployment's."""

    def answer(self, call: ReadCall) -> tuple[str, bool]:
        """Answer one call as our tools do."""
        arguments = call.arguments
        if arguments.get("output") == "name":
            kind = arguments["resourceType"].removesuffix("s")
            names = (each["metadata"]["name"] for each in self.lists.get(arguments["resourceType"], []))
            return "".join(f"{kind}/{name}\n" for name in names), False
        if call.tool == "kubectl_get" and "name" in arguments:
            listed = self.lists.get(arguments["resourceType"] + "s", [])
            wanted = (each for each in listed if each["metadata"]["name"] == arguments["name"])
            return json.dumps(next(wanted, self.workload)), False
        if call.tool == "kubectl_get":
            return json.dumps({"items": self._list(arguments)}), False
        return (self.log if call.tool == "kubectl_logs" else f"Name: {POD}"), False

    def _list(self, arguments: Object) -> list[Object]:
        match arguments["resourceType"], arguments.get("fieldSelector"):
            case "replicasets", _:
                return self.replicasets
            case "pods", _:
                return [] if self.no_pods else [self.pod]
            case "events", "type=Warning":
                return [*(self._event(message) for message in self.warnings), *self.events]
            case "deployments", _:
                return [self.workload, *self.siblings]
            case "services", _:
                return self.services
        return self.lists.get(arguments["resourceType"], [])

    @property
    def workload(self) -> Object:
        """The Deployment."""
        status: Object = {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
            "readyReplicas": self.ready_older, "availableReplicas": self.ready_older,
        }  # fmt: skip
        status |= {"conditions": self.conditions}
        made = deployment(self.name, self.containers, status, self.init_containers)
        made["spec"]["template"]["spec"] |= copy.deepcopy(self.spec)
        return made

    @property
    def replicasets(self) -> list[Object]:
        """One ReplicaSet per revision, in no order."""
        made = [
            _replicaset(self.name, number, containers)
            for number, containers in enumerate([*self.older, self.containers], 1)
        ]
        for one, spec in zip(made, [*self.older_specs, self.spec], strict=False):
            one["spec"]["template"]["spec"] |= copy.deepcopy(spec)
        if self.older:
            made[-2]["status"] = {"readyReplicas": self.ready_older}
        return made

    @property
    def pod(self) -> Object:
        """The pod of the newest revision."""
        is_ready = self.condition is None and all(status["ready"] for status in self.statuses)
        ready = {"type": "Ready", "status": str(is_ready)}
        owner = {
            "kind": "ReplicaSet",
            "name": POD[:-6],
            "uid": f"rs-{len(self.older) + 1}",
            "controller": True,
        }
        return {
            "kind": "Pod",
            "metadata": {"name": POD, "namespace": "default", "ownerReferences": [owner]},
            "spec": {"containers": self.containers, "initContainers": self.init_containers, **self.spec},
            "status": {
                "phase": "Pending",
                "containerStatuses": self.statuses,
                "initContainerStatuses": self.init_statuses,
                "conditions": [ready, *([self.condition] if self.condition else [])],
            },
        }

    def _event(self, message: str) -> Object:
        reason = "Unhealthy" if "probe" in message else "Failed"
        return {"reason": reason, "message": message, "involvedObject": {"kind": "Pod", "name": POD}}


def deployment(
    name: str, containers: list[Object], status: Object, init_containers: Iterable[Object] = ()
) -> Object:
    """Return a Deployment of one replica."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": containers, "initContainers": list(init_containers)},
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": copy.deepcopy(template),
        },
        "status": status,
    }


def _replicaset(name: str, number: int, containers: list[Object]) -> Object:
    owner = {"kind": "Deployment", "name": name, "uid": f"uid-{name}", "controller": True}
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"shop-{number}",
            "uid": f"rs-{number}",
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [owner],
        },
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def event(reason: str, message: str, kind: str = "Pod", name: str = POD) -> Object:
    """Return a warning about an object."""
    about = {"kind": kind, "name": name}
    return {"reason": reason, "message": message, "type": "Warning", "involvedObject": about}


def named(name: str, **fields: Any) -> Object:
    """Return an object of which little more than its name matters."""
    return {"metadata": {"name": name, **fields.pop("metadata", {})}, **fields}


def waiting(name: str, reason: str, message: str = "") -> Object:
    """Return the status of a container that hasn't started."""
    return {"name": name, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}


def killed(name: str, reason: str = "OOMKilled") -> Object:
    """Return the status of a container that was killed just now and waits for its restart."""
    end = {"reason": reason, "exitCode": 137, "finishedAt": NOW.isoformat()}
    crash = waiting(name, "CrashLoopBackOff")
    return {**crash, "restartCount": 3, "lastState": {"terminated": end}}


def running(name: str, *, ready: bool) -> Object:
    """Return the status of a container that runs."""
    return {"name": name, "ready": ready, "state": {"running": {"startedAt": NOW.isoformat()}}}


SHOP = Target(kind="Deployment", namespace="default", name="shop")


def runbook_of(step: Step) -> str:
    """Return the name of the runbook that found a fault; empty where none did."""
    diagnosis = getattr(step, "diagnosis", None)
    return str(diagnosis.runbook) if diagnosis else ""


def fields_of(step: Step) -> Object:
    """Return what a step's patch changes of the template's pod."""
    assert isinstance(step, ProposePatch), step
    assert isinstance(step.candidate.call.patch_data, dict)
    found: Object = step.candidate.call.patch_data["spec"]["template"]["spec"]
    return found


async def decide(cluster: MadeUpCluster, **changes: Any) -> Step:
    """Return what the mind decides about the made-up Deployment; `changes` are fields of the case."""
    target = SHOP.model_copy(update={"name": cluster.name})
    step, _, _ = await play(replace(alert_about(target, POD), **changes), cluster.answer)
    return step
