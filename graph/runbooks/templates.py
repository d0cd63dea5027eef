"""The template that a workload makes its pods from, as far as runbooks read it, and what all parts share.

What a cluster sends is data and may be anything: names that could never be Kubernetes names, or numbers that
aren't numbers, are refused here, so that nothing behind this module has to doubt them. `null` means absent,
as it does for the API server.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]


class Part(BaseModel):
    """A part of an object: frozen, named as the API names it; what runbooks don't read is left out."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if value is not None}


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

    limits: dict[str, str | int] = {}
    requests: dict[str, str | int] = {}


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


class SecretVolume(Fragment):
    """A Secret as files."""

    secret_name: str = ""
    optional: bool = False


class ClaimVolume(Fragment):
    """A PersistentVolumeClaim as a volume."""

    claim_name: str = ""


class Volume(Fragment):
    """A volume of a pod, as far as it may name something that isn't there."""

    name: str
    config_map: Reference | None = None
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


class PodSpec(Part):
    """What a pod is made of, and where it may run."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_selector: dict[str, str] = {}
    affinity: dict[str, Any] = {}
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


class _Labels(Part):
    labels: dict[str, str] = {}


class PodTemplate(Part):
    """What a workload makes its pods from."""

    metadata: _Labels = _Labels()
    spec: PodSpec = PodSpec()
