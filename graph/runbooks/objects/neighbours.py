"""The objects around a workload that runbooks read, as frozen models."""

from pydantic import Field

from graph.cluster.workloads import Condition
from graph.domain.lenient_model import Part
from graph.runbooks.objects.workloads import Labels, Metadata, PodStatus


class ServicePort(Part):
    """A port of a Service, and the port of the pods that it leads to."""

    target_port: int | str = ""
    port: int = 0
    name: str = ""


class ServiceSpec(Part):
    """Which pods a Service sends to, and on which ports."""

    selector: Labels = Field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()


class Service(Part):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class Taint(Part):
    """Which pods a node keeps away."""

    key: str = ""
    value: str = ""
    effect: str = ""


class _NodeSpec(Part):
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


class _NodeInfo(Part):
    operating_system: str = ""
    architecture: str = ""


class _NodeStatus(Part):
    node_info: _NodeInfo = _NodeInfo()
    allocatable: dict[str, str | int] = Field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


class Node(Part):
    """A node."""

    metadata: Metadata
    spec: _NodeSpec = _NodeSpec()
    status: _NodeStatus = _NodeStatus()

    @property
    def is_ready(self) -> bool:
        """Whether the node's kubelet says that it takes pods, and nobody has cordoned it."""
        ready = any((each.type, each.status) == ("Ready", "True") for each in self.status.conditions)
        return ready and not self.spec.unschedulable

    @property
    def platform(self) -> str:
        """What images it runs, as `linux/arm64`; empty if it doesn't say."""
        about, labels = self.status.node_info, self.metadata.labels
        system = about.operating_system or labels.get("kubernetes.io/os", "")
        architecture = about.architecture or labels.get("kubernetes.io/arch", "")
        return f"{system}/{architecture}" if system and architecture else ""


class ConfigMap(Part):
    """A ConfigMap. Its values are somebody's configuration: only the keys are read."""

    metadata: Metadata
    data: dict[str, object] = Field(default_factory=dict)
    binary_data: dict[str, object] = Field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its entries."""
        return (*self.data, *self.binary_data)


class _ClaimSpec(Part):
    storage_class_name: str | None = None
    volume_name: str = ""


class Claim(Part):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: _ClaimSpec = _ClaimSpec()
    status: PodStatus = PodStatus()


class Named(Part):
    """An object of which only its name and labels matter."""

    metadata: Metadata
