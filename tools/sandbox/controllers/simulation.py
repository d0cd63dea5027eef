"""The cluster's inner life: nodes, controllers, scheduler and kubelets, woken by changes and by the clock."""

import asyncio
import contextlib
import random
from collections.abc import Callable

from tools.kubernetes.resource_types import find_kind
from tools.sandbox.api_server.images import Catalogue
from tools.sandbox.api_server.kubelet_age import CURRENT, KubeletAge
from tools.sandbox.api_server.store import Store, timestamp
from tools.sandbox.controllers.endpoints import EndpointsController
from tools.sandbox.controllers.events import Recorder
from tools.sandbox.controllers.kubelet import Kubelet
from tools.sandbox.controllers.replica_sets import ReplicaSets
from tools.sandbox.controllers.rollout import Rollouts
from tools.sandbox.controllers.scheduling import Scheduler
from tools.sandbox.controllers.timing import SandboxTiming

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_NODES = ("sandbox-node-1", "sandbox-node-2")
_CAPACITY = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "50Gi"}
_SHORTEST_PAUSE_SECONDS = 0.02


class Simulation:
    """Moves the objects of a store. `clock` returns seconds and never goes back; `dice` names pods."""

    def __init__(  # noqa: PLR0913 - what an imagined cluster is made of
        self,
        store: Store,
        pace: SandboxTiming,
        catalogue: Catalogue,
        clock: Callable[[], float],
        dice: random.Random,
        *,
        age: KubeletAge = CURRENT,
    ) -> None:
        recorder = Recorder(store)
        self.kubelet = Kubelet(store, recorder, pace, catalogue, clock, age=age)
        self._store = store
        self._pace = pace
        self._controllers = (
            Rollouts(store, recorder, clock),
            ReplicaSets(store, recorder, dice),
            Scheduler(store, recorder),
            self.kubelet,
            EndpointsController(store),
        )
        _furnish(store, age.git_version)

    def step(self) -> None:
        """Let every controller look once."""
        for controller in self._controllers:
            controller.step()

    async def run(self) -> None:
        """Step for ever: soon after a change, and at least once a tick."""
        while True:
            self._store.changed.clear()
            self.step()
            await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
            # Not asyncio.wait_for: before Python 3.12 it may swallow a cancellation that meets a change.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.tick):
                    await self._store.changed.wait()


def _furnish(store: Store, version: str) -> None:
    """Put in what every cluster has: namespaces with their default account, and nodes."""
    for name in _NAMESPACES:
        labels = {"kubernetes.io/metadata.name": name}
        metadata = {"name": name, "labels": labels}
        namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata}
        store.create(find_kind("namespace"), {**namespace, "status": {"phase": "Active"}})
        account = {"kind": "ServiceAccount", "apiVersion": "v1"}
        store.create(
            find_kind("serviceaccount"), {**account, "metadata": {"name": "default", "namespace": name}}
        )
    for number, name in enumerate(_NODES, start=1):
        _add_node(store, name, f"192.168.72.{10 + number}", version)


def _add_node(store: Store, name: str, address: str, version: str) -> None:
    conditions = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    status = {
        "capacity": dict(_CAPACITY),
        "allocatable": dict(_CAPACITY),
        "conditions": [
            {
                "type": kind,
                "status": value,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": timestamp(),
                "lastTransitionTime": timestamp(),
            }
            for kind, value, reason, message in conditions
        ],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "nodeInfo": {
            "kubeletVersion": version,
            "osImage": "simulated",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "containerRuntimeVersion": "containerd://1.7.22",
        },
    }
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}}
    store.create(find_kind("node"), {**node, "spec": {}, "status": status})
