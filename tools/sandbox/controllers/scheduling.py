"""Binds pods to nodes, or says why it can't, as the real scheduler words it."""

from decimal import Decimal

from tools.sandbox.api_server.quantities import parse_quantity
from tools.sandbox.api_server.store import Object, Store, timestamp
from tools.sandbox.controllers.events import Recorder, Source

_SOURCE = Source("default-scheduler")


class Scheduler:
    """Looks at node selectors and at requests for CPU and memory; nothing else."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder

    def step(self) -> None:
        """Try to bind every pod that has no node."""
        for pod in self._store.select("Pod"):
            if not pod["spec"].get("nodeName"):
                self._schedule(pod)

    def _schedule(self, pod: Object) -> None:
        fitting, reasons = [], []
        for node in self._store.select("Node"):
            reason = self._explain_misfit(pod, node)
            if reason is None:
                fitting.append(node)
            else:
                reasons.append(reason)
        if not fitting:
            self._refuse(pod, reasons)
            return
        chosen = min(fitting, key=lambda node: len(self._pods_on(node)))
        pod["spec"]["nodeName"] = chosen["metadata"]["name"]
        pod["status"]["conditions"] = [_scheduled("True")]
        self._store.replace(pod)
        metadata = pod["metadata"]
        message = (
            f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {pod['spec']['nodeName']}"
        )
        self._recorder.note(_SOURCE, pod, "Scheduled", message)

    def _explain_misfit(self, pod: Object, node: Object) -> str | None:
        wanted = pod["spec"].get("nodeSelector") or {}
        if not wanted.items() <= node["metadata"]["labels"].items():
            return "node(s) didn't match Pod's node affinity/selector"
        for resource in ("cpu", "memory"):
            used = sum((_requested(other, resource) for other in self._pods_on(node)), Decimal())
            if used + _requested(pod, resource) > parse_quantity(node["status"]["allocatable"][resource]):
                return f"Insufficient {resource}"
        return None

    def _pods_on(self, node: Object) -> list[Object]:
        name = node["metadata"]["name"]
        return [pod for pod in self._store.select("Pod") if pod["spec"].get("nodeName") == name]

    def _refuse(self, pod: Object, reasons: list[str]) -> None:
        if any(one["type"] == "PodScheduled" for one in pod["status"].get("conditions") or []):
            return
        count = len(reasons)
        listed = ", ".join(f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons)))
        helpless = "No preemption victims found for incoming pod"
        if not any(reason.startswith("Insufficient") for reason in reasons):
            helpless = "Preemption is not helpful for scheduling"
        none = f"0/{count} nodes are available"
        message = f"{none}: {listed}. preemption: {none}: {count} {helpless}."
        pod["status"] = {
            "phase": "Pending",
            "conditions": [{**_scheduled("False"), "reason": "Unschedulable", "message": message}],
        }
        self._store.replace(pod)
        self._recorder.warn(_SOURCE, pod, "FailedScheduling", message)


def _scheduled(status: str) -> Object:
    return {
        "type": "PodScheduled",
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(),
    }


def _requested(pod: Object, resource: str) -> Decimal:
    amounts = (
        (container.get("resources", {}).get("requests") or {}).get(resource, "0")
        for container in pod["spec"]["containers"]
    )
    return sum((parse_quantity(amount) for amount in amounts), Decimal())
