"""Which REST path a resource type means, for every way kubectl lets people and models write it.

A fixed table rather than discovery: no request before the first read, and a kind that isn't listed is refused
instead of guessed. Versions are those of Kubernetes 1.27 and later.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from tools.errors import BadInput, UnknownKind

_CUSTOM = re.compile(
    r"^(?P<plural>[a-z][a-z0-9-]*)\.(?P<version>v\d+((alpha|beta)\d+)?)\.(?P<group>[a-z0-9.-]+)$"
)


@dataclass(frozen=True)
class Kind:
    """One Kubernetes resource type. `group` is empty for the core API; `names` are its short names.

    A custom resource's `kind` isn't known before it is read: its plural stands there instead.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    names: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """The `apiVersion` that objects of this kind carry, such as `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The kind in lower case, with its group, as kubectl prints it: `deployment.apps`."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the URL path of the collection or, with a name, of one object.

        `namespace` None means all namespaces; it is ignored for kinds of the cluster itself. Raises BadInput
        for a name that would lead to another path.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{_segment('namespace', namespace)}" if self.namespaced and namespace else ""
        tail = f"/{_segment('name', name)}" if name is not None else ""
        return f"{root}{scope}/{self.plural}{tail}"


def find_kind(resource_type: str) -> Kind:
    """Return the kind that a name stands for, in any case: `deploy`, `Deployments`, `deployment.apps`.

    Custom resources are named in full, as `certificates.v1.cert-manager.io`, and are taken to be namespaced.
    Raises UnknownKind.
    """
    wanted = resource_type.strip().lower()
    if kind := _BY_NAME.get(wanted):
        return kind
    match = _CUSTOM.match(wanted)
    if match is None:
        raise UnknownKind(
            f"unknown resource type {resource_type[:80]!r}: use a built-in name (pod, deployment, svc, …)"
            " or <plural>.<version>.<group> for a custom resource"
        )
    return Kind(match["group"], match["version"], match["plural"], match["plural"])


def _segment(field: str, value: str) -> str:
    if value in {"", ".", ".."} or "/" in value or "%" in value:
        raise BadInput(f"{field} {value[:80]!r} isn't a Kubernetes name: give the bare name of one object")
    return quote(value, safe=":")


def _spellings(kind: Kind) -> list[str]:
    bare = [kind.kind.lower(), kind.plural]
    full = f"{kind.plural}.{kind.version}.{kind.group}".rstrip(".")
    return [
        *bare,
        *kind.names,
        *(f"{name}.{kind.group}" for name in (*bare, *kind.names) if kind.group),
        full,
    ]


KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "ConfigMap", "configmaps", names=("cm",)),
    Kind("", "v1", "Endpoints", "endpoints", names=("ep",)),
    Kind("", "v1", "Event", "events", names=("ev",)),
    Kind("", "v1", "LimitRange", "limitranges", names=("limits",)),
    Kind("", "v1", "Namespace", "namespaces", namespaced=False, names=("ns",)),
    Kind("", "v1", "Node", "nodes", namespaced=False, names=("no",)),
    Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False, names=("pv",)),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", names=("pvc",)),
    Kind("", "v1", "Pod", "pods", names=("po",)),
    Kind("", "v1", "ReplicationController", "replicationcontrollers", names=("rc",)),
    Kind("", "v1", "ResourceQuota", "resourcequotas", names=("quota",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "Service", "services", names=("svc",)),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", names=("sa",)),
    Kind("apps", "v1", "ControllerRevision", "controllerrevisions"),
    Kind("apps", "v1", "DaemonSet", "daemonsets", names=("ds",)),
    Kind("apps", "v1", "Deployment", "deployments", names=("deploy",)),
    Kind("apps", "v1", "ReplicaSet", "replicasets", names=("rs",)),
    Kind("apps", "v1", "StatefulSet", "statefulsets", names=("sts",)),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", names=("hpa",)),
    Kind("batch", "v1", "CronJob", "cronjobs", names=("cj",)),
    Kind("batch", "v1", "Job", "jobs"),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", names=("ing",)),
    Kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", names=("netpol",)),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", names=("pdb",)),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False, names=("pc",)),
    Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False, names=("sc",)),
)
_BY_NAME = {name: kind for kind in KINDS for name in _spellings(kind)}
