"""The template that a workload makes its pods from, as far as runbooks read it."""

from typing import Any

from pydantic import ConfigDict, Field

from graph.domain.lenient_model import Name, Part


class Fragment(Part):
    """A part that may go into a patch, with all its fields, those that runbooks don't read included."""

    model_config = ConfigDict(extra="allow")

    def as_patch(self) -> dict[str, Any]:
        """Return the part as the cluster sent it."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class ContainerPort(Part):
    """A port that a container says it listens on."""

    container_port: int
    name: str = ""


class Handler(Part):
    """Where a probe knocks. A port may be given by its name; path and scheme are those of HTTP."""

    port: int | str | None = None
    path: str = "/"
    scheme: str = "HTTP"


class Probe(Part):
    """A health check; one of the handlers is set, or none for a command. Times are seconds."""

    http_get: Handler | None = None
    tcp_socket: Handler | None = None
    grpc: Handler | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    failure_threshold: int = 3

    @property
    def patience(self) -> int:
        """For how many seconds after its start a container may fail this probe without consequence."""
        return self.initial_delay_seconds + self.period_seconds * self.failure_threshold

    @property
    def knock(self) -> tuple[str, int | str] | None:
        """The handler's field and its port, or None for a probe that uses no port."""
        fields = (("httpGet", self.http_get), ("tcpSocket", self.tcp_socket), ("grpc", self.grpc))
        return next(
            ((field, at.port) for field, at in fields if at is not None and at.port is not None), None
        )


class Resources(Part):
    """What a container asks for and may use, by resource."""

    limits: dict[str, str | int] = Field(default_factory=dict)
    requests: dict[str, str | int] = Field(default_factory=dict)


class Reference(Fragment):
    """The name of a ConfigMap or a Secret, and perhaps one of its keys."""

    name: str = ""
    key: str = ""
    optional: bool = False


class EnvSource(Fragment):
    """Where a variable's value comes from."""

    config_map_key_ref: Reference | None = None
    secret_key_ref: Reference | None = None


class Variable(Fragment):
    """An environment variable."""

    name: str
    value: str | None = None
    value_from: EnvSource | None = None


class EnvFrom(Fragment):
    """All keys of a ConfigMap or a Secret as variables."""

    config_map_ref: Reference | None = None
    secret_ref: Reference | None = None


class KeyToPath(Fragment):
    """One key as a file."""

    key: str = ""
    path: str = ""


class ConfigMapVolume(Reference):
    """A ConfigMap as files: those of `items`, or all."""

    items: tuple[KeyToPath, ...] = ()


class SecretVolume(Fragment):
    """A Secret as files: those of `items`, or all."""

    secret_name: str = ""
    optional: bool = False
    items: tuple[KeyToPath, ...] = ()


class ClaimVolume(Fragment):
    """A PersistentVolumeClaim as a volume."""

    claim_name: str = ""


class Volume(Fragment):
    """A volume of a pod, as far as it may name something that isn't there."""

    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    host_path: Fragment | None = None


class Toleration(Fragment):
    """Which taint a pod puts up with. Without a key: every one."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class VolumeMount(Part):
    """Which of the pod's volumes a container sees."""

    name: str = ""
    read_only: bool = False


class Container(Part):
    """A container as a template or a pod wants it."""

    name: Name
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[Variable, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    volume_mounts: tuple[VolumeMount, ...] = ()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str = ""
    """`Always` makes an init container a sidecar, which keeps running; empty on other containers."""


class PodSpec(Part):
    """What a pod is made of, and where it may run."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_selector: dict[str, str] = Field(default_factory=dict)
    affinity: dict[str, Any] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[Fragment, ...] = ()
    image_pull_secrets: tuple[Reference, ...] = ()
    node_name: str = ""
    service_account_name: str = "default"
    dns_policy: str = "ClusterFirst"
    restart_policy: str = "Always"

    def find(self, name: str) -> Container | None:
        """Return the container or init container of that name, or None."""
        return next((each for each in (*self.containers, *self.init_containers) if each.name == name), None)

    def is_init(self, name: str) -> bool:
        """Whether the name is an init container's."""
        return any(each.name == name for each in self.init_containers)

    def initialises(self, name: str) -> bool:
        """Whether the name is that of an init container that ends, and so is no sidecar."""
        return any(each.name == name and each.restart_policy != "Always" for each in self.init_containers)

    def stays_up(self, name: str) -> bool:
        """Whether the container of that name should run for ever: none of a Job does, a sidecar always."""
        if self.is_init(name):
            return not self.initialises(name)
        return self.restart_policy == "Always"


class _Labels(Part):
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class PodTemplate(Part):
    """What a workload makes its pods from."""

    metadata: _Labels = _Labels()
    spec: PodSpec = PodSpec()
