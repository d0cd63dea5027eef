"""The parts of Kubernetes objects that runbooks read, as frozen models.

What a cluster sends is data and may be anything: names that could never be Kubernetes names, or numbers that
aren't numbers, are refused here, so that nothing behind this module has to doubt them. `null` means absent,
as it does for the API server.
"""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

_REVISION = "deployment.kubernetes.io/revision"
_REVISION_DIGITS = 12
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Number = Annotated[int, Field(ge=0, le=2**63)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if value is not None}


class Owner(_Part):
    """Who made an object and takes care of it."""

    kind: str
    name: Name
    uid: str = ""
    controller: bool = False


class Metadata(_Part):
    """An object's identity. `uid` is empty where the answer left it out."""

    name: Name
    namespace: Name = "default"
    uid: str = ""
    generation: Number = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[Owner, ...] = ()
    deletion_timestamp: AwareDatetime | None = None

    @property
    def controller(self) -> Owner | None:
        """The owner that replaces the object when it goes, or None."""
        return next((owner for owner in self.owner_references if owner.controller), None)

    def is_controlled_by(self, uid: str) -> bool:
        """Whether the controller has this uid; an empty uid owns nothing."""
        return bool(uid) and self.controller is not None and self.controller.uid == uid


class ContainerPort(_Part):
    """A port that a container says it listens on."""

    container_port: int
    name: str = ""


class Handler(_Part):
    """Where a probe knocks. A port may be given by its name."""

    port: int | str | None = None


class Probe(_Part):
    """A health check; one of the handlers is set, or none for a command."""

    http_get: Handler | None = None
    tcp_socket: Handler | None = None
    grpc: Handler | None = None

    @property
    def knock(self) -> tuple[str, int | str] | None:
        """The handler's field and its port, or None for a probe that uses no port."""
        fields = (("httpGet", self.http_get), ("tcpSocket", self.tcp_socket), ("grpc", self.grpc))
        return next(
            ((field, at.port) for field, at in fields if at is not None and at.port is not None), None
        )


class Resources(_Part):
    """What a container asks for and may use, by resource."""

    limits: dict[str, str | int] = {}
    requests: dict[str, str | int] = {}


class Container(_Part):
    """A container as a template or a pod wants it."""

    name: Name
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None


class PodSpec(_Part):
    """The containers of a pod."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()

    def find(self, name: str) -> Container | None:
        """Return the container or init container of that name, or None."""
        return next((each for each in (*self.containers, *self.init_containers) if each.name == name), None)

    def is_init(self, name: str) -> bool:
        """Whether the name is an init container's."""
        return any(each.name == name for each in self.init_containers)


class _Labels(_Part):
    labels: dict[str, str] = {}


class PodTemplate(_Part):
    """What a workload makes its pods from."""

    metadata: _Labels = _Labels()
    spec: PodSpec = PodSpec()


class Requirement(_Part):
    """One term of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(_Part):
    """Which pods are a workload's."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class WorkloadSpec(_Part):
    """What a workload wants. `replicas` means nothing for a DaemonSet."""

    replicas: Number = 1
    selector: Selector = Selector()
    template: PodTemplate = PodTemplate()


class WorkloadStatus(_Part):
    """How a workload fares, in the words of Deployments and StatefulSets and in those of DaemonSets."""

    observed_generation: Number = 0
    ready_replicas: Number = 0
    updated_replicas: Number = 0
    desired_number_scheduled: Number = 0
    number_ready: Number = 0
    updated_number_scheduled: Number = 0


class Workload(_Part):
    """A Deployment, StatefulSet, DaemonSet or ReplicaSet."""

    kind: str
    metadata: Metadata
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    def __str__(self) -> str:
        return f"{self.kind}/{self.metadata.name} in {self.metadata.namespace}"

    @property
    def pod_spec(self) -> PodSpec:
        """The containers of the template."""
        return self.spec.template.spec

    @property
    def revision(self) -> int:
        """The revision that a Deployment gave its ReplicaSet; 0 if it gave none."""
        text = self.metadata.annotations.get(_REVISION, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _REVISION_DIGITS else 0

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many pods are wanted, of the newest template, and ready."""
        status = self.status
        if self.kind == "DaemonSet":
            return status.desired_number_scheduled, status.updated_number_scheduled, status.number_ready
        return self.spec.replicas, status.updated_replicas, status.ready_replicas

    @property
    def is_settled(self) -> bool:
        """Whether all wanted pods are of the newest template, and ready."""
        wanted, updated, ready = self.counts
        seen = self.status.observed_generation >= self.metadata.generation
        return seen and updated >= wanted and ready >= wanted


class Waiting(_Part):
    """Why a container hasn't started."""

    reason: str = ""
    message: str = ""


class Terminated(_Part):
    """How a container ended."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0
    finished_at: AwareDatetime | None = None


class Running(_Part):
    """A container is running."""

    started_at: AwareDatetime | None = None


class State(_Part):
    """A container's state; one of the three is set."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Part):
    """A container as the kubelet sees it."""

    name: Name
    ready: bool = False
    restart_count: Number = 0
    state: State = State()
    last_state: State = State()


class PodStatus(_Part):
    """A pod as the kubelet sees it."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(_Part):
    """A pod."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def statuses(self) -> tuple[ContainerStatus, ...]:
        """The statuses of init containers and containers, in the order in which they start."""
        return (*self.status.init_container_statuses, *self.status.container_statuses)


class _Involved(_Part):
    kind: str = ""
    name: str = ""


class Event(_Part):
    """Something that happened to an object."""

    reason: str = ""
    message: str = ""
    involved_object: _Involved = _Involved()


class _ServicePort(_Part):
    target_port: int | str = ""
    port: int = 0


class ServiceSpec(_Part):
    """Which pods a Service sends to, and on which ports."""

    selector: dict[str, str] = {}
    ports: tuple[_ServicePort, ...] = ()


class Service(_Part):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


T = TypeVar("T")


class Items(_Part, Generic[T]):
    """A list as `kubectl_get` answers it."""

    items: tuple[T, ...]
