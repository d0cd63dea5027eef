"""Service → Endpoints and EndpointSlice: the addresses of the pods that a selector finds."""

from tools.kubernetes.resource_types import Kind, find_kind
from tools.sandbox.api_server.store import Object, Store
from tools.sandbox.controllers.replica_sets import is_ready, owner_reference

_ENDPOINTS, _SLICE = find_kind("endpoints"), find_kind("endpointslice")


class EndpointsController:
    """Keeps one Endpoints and one EndpointSlice object per Service with a selector."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def step(self) -> None:
        """Write what has changed, and remove what belongs to no Service any more."""
        services = [one for one in self._store.select("Service") if one["spec"].get("selector")]
        for service in services:
            self._publish(service)
        known = {
            (one["metadata"]["namespace"], one["metadata"]["name"]) for one in self._store.select("Service")
        }
        for kind, suffix in (("Endpoints", ""), ("EndpointSlice", "-sandbox")):
            for one in self._store.select(kind):
                namespace, name = one["metadata"]["namespace"], one["metadata"]["name"]
                if (namespace, name.removesuffix(suffix)) not in known:
                    self._store.remove(kind, namespace, name)

    def _publish(self, service: Object) -> None:
        pods = [
            pod
            for pod in self._store.select("Pod", service["metadata"]["namespace"])
            if _selected(service, pod)
        ]
        self._put(_ENDPOINTS, {"metadata": _metadata(service), "subsets": _subsets(service, pods)})
        self._put(_SLICE, _slice(service, pods))

    def _put(self, kind: Kind, content: Object) -> None:
        metadata = content["metadata"]
        current = self._store.find(kind.kind, metadata["namespace"], metadata["name"])
        body = {"kind": kind.kind, "apiVersion": kind.api_version, **content}
        if current is None:
            self._store.create(kind, body)
        else:
            self._store.replace({**body, "metadata": {**current["metadata"], **metadata}})


def _selected(service: Object, pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    alive = "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("podIP")
    return bool(alive) and service["spec"]["selector"].items() <= labels.items()


def _metadata(service: Object) -> Object:
    metadata = service["metadata"]
    labels = {"labels": metadata["labels"]} if metadata.get("labels") else {}
    return {"name": metadata["name"], "namespace": metadata["namespace"], **labels}


def _subsets(service: Object, pods: list[Object]) -> list[Object]:
    """One subset per set of resolved ports: pods that name a port differently don't share one."""
    subsets: dict[str, Object] = {}
    for pod in pods:
        ports = _ports(service, pod)
        if not ports and service["spec"].get("ports"):
            continue
        subset = subsets.setdefault(str(ports), {"ports": ports})
        kind = "addresses" if is_ready(pod) else "notReadyAddresses"
        subset.setdefault(kind, []).append(_address(pod))
    return list(subsets.values())


def _ports(service: Object, pod: Object) -> list[Object]:
    ports = []
    for port in service["spec"].get("ports") or []:
        number = resolve_port(port["targetPort"], pod["spec"]["containers"])
        if number is not None:
            name = {"name": port["name"]} if port.get("name") else {}
            ports.append({**name, "port": number, "protocol": port["protocol"]})
    return ports


def resolve_port(port: int | str, containers: list[Object]) -> int | None:
    """Return the number that a port stands for; None for a name that no container declares."""
    if isinstance(port, int):
        return port
    declared = (one for container in containers for one in container.get("ports") or [])
    return next((int(one["containerPort"]) for one in declared if one.get("name") == port), None)


def _address(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {
        "ip": pod["status"]["podIP"],
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {
            "kind": "Pod",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }


def _slice(service: Object, pods: list[Object]) -> Object:
    metadata = service["metadata"]
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {"ready": is_ready(pod), "serving": is_ready(pod), "terminating": False},
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": _address(pod)["targetRef"],
        }
        for pod in pods
    ]
    ports = next((found for pod in pods if (found := _ports(service, pod))), [])
    return {
        "metadata": {
            "name": f"{metadata['name']}-sandbox",
            "namespace": metadata["namespace"],
            "labels": {
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": metadata["name"],
            },
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "", **port} for port in ports],
    }
