"""The nodes' fake kubelets: they live the pods' lives by rule, without running anything."""

import itertools
from collections.abc import Callable

from tools.sandbox.api_server.images import Catalogue
from tools.sandbox.api_server.kubelet_age import KubeletAge
from tools.sandbox.api_server.store import Object, Store, timestamp, uid_of
from tools.sandbox.controllers.containers import Container, Surroundings
from tools.sandbox.controllers.events import Recorder, Source
from tools.sandbox.controllers.timing import SandboxTiming


class PodLife:
    """What a kubelet remembers of one pod."""

    def __init__(self, pod: Object, address: str, around: Surroundings) -> None:
        self.address = address
        self.started_at = timestamp()
        self.ends_at: float | None = None
        self.containers = [Container(spec, pod, around) for spec in pod["spec"]["containers"]]

    def container(self, name: str) -> Container | None:
        """Return the container of that name, or None."""
        return next((one for one in self.containers if one.name == name), None)


class Kubelet:
    """The kubelets of all nodes. `clock` returns seconds and never goes back."""

    def __init__(  # noqa: PLR0913 - what an imagined node is made of
        self,
        store: Store,
        recorder: Recorder,
        pace: SandboxTiming,
        catalogue: Catalogue,
        clock: Callable[[], float],
        *,
        age: KubeletAge,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._pace = pace
        self._clock = clock
        self.age = age
        self._around = Surroundings(pace, age, catalogue, recorder, self._explain_missing)
        self._lives: dict[str, PodLife] = {}
        self._addresses = itertools.count(2)

    def life_of(self, pod: Object) -> PodLife | None:
        """Return what the kubelet knows of a pod; None before a node took it."""
        return self._lives.get(uid_of(pod))

    def step(self) -> None:
        """Live every pod that has a node on to the present, and forget those that are gone."""
        pods = [pod for pod in self._store.select("Pod") if pod["spec"].get("nodeName")]
        for pod in pods:
            self._live(pod)
        present = {uid_of(pod) for pod in pods}
        self._lives = {uid: life for uid, life in self._lives.items() if uid in present}

    def _live(self, pod: Object) -> None:
        life = self._lives.get(uid_of(pod))
        if life is None:
            life = self._lives[uid_of(pod)] = PodLife(pod, self._next_address(), self._around)
        if "deletionTimestamp" in pod["metadata"]:
            self._end(pod, life)
            return
        pod.setdefault("status", {})["podIP"] = life.address
        if self._volumes_mounted(pod):
            for container, spec in zip(life.containers, pod["spec"]["containers"], strict=True):
                container.pod, container.spec = pod, spec
                container.step(self._clock())
        status = _status(pod, life)
        pod["status"] = status if self.age.waits_between_crashes else _observed(pod, status)
        self._store.replace(pod)

    def _next_address(self) -> str:
        serial = next(self._addresses)
        return f"10.244.{serial // 250}.{serial % 250 + 1}"

    def _end(self, pod: Object, life: PodLife) -> None:
        now, metadata = self._clock(), pod["metadata"]
        if life.ends_at is None:
            grace = float(metadata.get("deletionGracePeriodSeconds", 30))
            life.ends_at = now + min(self._pace.stop, grace)
            source = Source("kubelet", pod["spec"]["nodeName"])
            for one in life.containers:
                if "running" in one.state:
                    message = f"Stopping container {one.name}"
                    self._recorder.note(source, pod, "Killing", message, container=one.name)
        if now >= life.ends_at:
            self._store.remove("Pod", metadata["namespace"], metadata["name"])

    def _volumes_mounted(self, pod: Object) -> bool:
        for volume in pod["spec"].get("volumes") or []:
            for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
                source = volume.get(field)
                if source is None or source.get("optional"):
                    continue
                if self._store.find(kind, pod["metadata"]["namespace"], source[key]) is None:
                    why = f'{kind.lower()} "{source[key]}" not found'
                    message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {why}'
                    node = Source("kubelet", pod["spec"]["nodeName"])
                    self._recorder.warn(node, pod, "FailedMount", message)
                    return False
        return True

    def _explain_missing(self, pod: Object, container: Object) -> str | None:
        namespace = pod["metadata"]["namespace"]
        for kind, reference in _references(container):
            if reference.get("optional"):
                continue
            found = self._store.find(kind, namespace, reference["name"])
            if found is None:
                return f'{kind.lower()} "{reference["name"]}" not found'
            if "key" in reference and reference["key"] not in {
                **found.get("data", {}),
                **found.get("stringData", {}),
            }:
                return f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}"
        return None


def _references(container: Object) -> list[tuple[str, Object]]:
    sources = [*(container.get("envFrom") or [])]
    sources += [one.get("valueFrom") or {} for one in container.get("env") or []]
    fields = {
        "configMapRef": "ConfigMap",
        "configMapKeyRef": "ConfigMap",
        "secretRef": "Secret",
        "secretKeyRef": "Secret",
    }
    return [(kind, source[field]) for source in sources for field, kind in fields.items() if field in source]


def _status(pod: Object, life: PodLife) -> Object:
    before = {one["type"]: one for one in pod["status"].get("conditions") or []}
    unready = [one.name for one in life.containers if not one.ready]
    bad = {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }
    ready = ("False", bad) if unready else ("True", {})
    conditions = [
        _condition(before, "PodReadyToStartContainers", "True", {}),
        _condition(before, "Initialized", "True", {}),
        _condition(before, "Ready", *ready),
        _condition(before, "ContainersReady", *ready),
        *([before["PodScheduled"]] if "PodScheduled" in before else []),
    ]
    return {
        "phase": _phase(life),
        "conditions": conditions,
        "hostIP": f"192.168.72.{10 + int(pod['spec']['nodeName'].rpartition('-')[2])}",
        "podIP": life.address,
        "podIPs": [{"ip": life.address}],
        "startTime": life.started_at,
        "containerStatuses": [one.status() for one in life.containers],
        "qosClass": _quality_of_service(pod),
    }


def _observed(pod: Object, status: Object) -> Object:
    """Return the status with the generation that it is of, as current kubelets write it."""
    seen = {"observedGeneration": pod["metadata"]["generation"]}
    conditions = [{**one, **seen} for one in status["conditions"]]
    return {**seen, **status, "conditions": conditions, "hostIPs": [{"ip": status["hostIP"]}]}


def _phase(life: PodLife) -> str:
    if all(one.done for one in life.containers):
        failed = any(one.state["terminated"]["exitCode"] for one in life.containers)
        return "Failed" if failed else "Succeeded"
    return "Running" if all(one.container_id for one in life.containers) else "Pending"


def _condition(before: dict[str, Object], name: str, status: str, extra: Object) -> Object:
    old = before.get(name)
    since = old["lastTransitionTime"] if old is not None and old["status"] == status else timestamp()
    return {"type": name, "status": status, "lastProbeTime": None, "lastTransitionTime": since, **extra}


def _quality_of_service(pod: Object) -> str:
    resources = [container.get("resources") or {} for container in pod["spec"]["containers"]]
    if not any(one.get("limits") or one.get("requests") for one in resources):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= (one.get("limits") or {}).keys() and one["limits"] == one.get("requests")
        for one in resources
    )
    return "Guaranteed" if full else "Burstable"
