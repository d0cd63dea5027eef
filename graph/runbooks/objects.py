"""The parts of Kubernetes objects that runbooks read, as frozen models."""

from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, Field

from graph.runbooks.templates import Name, Part, PodSpec, PodTemplate

_REVISION = "deployment.kubernetes.io/revision"
_REVISION_DIGITS = 12
Labels = dict[str, str]
Number = Annotated[int, Field(ge=0, le=2**63)]


class Owner(Part):
    """Who made an object and takes care of it."""

    kind: str
    name: Name
    uid: str = ""
    controller: bool = False


class Metadata(Part):
    """An object's identity. `uid` is empty where the answer left it out."""

    name: Name
    namespace: Name = "default"
    uid: str = ""
    generation: Number = 0
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()
    deletion_timestamp: AwareDatetime | None = None

    @property
    def controller(self) -> Owner | None:
        """The owner that replaces the object when it goes, or None."""
        return next((owner for owner in self.owner_references if owner.controller), None)

    def is_controlled_by(self, uid: str) -> bool:
        """Whether the controller has this uid; an empty uid owns nothing."""
        return bool(uid) and self.controller is not None and self.controller.uid == uid


class Requirement(Part):
    """One term of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(Part):
    """Which pods are a workload's."""

    match_labels: Labels = Field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


class WorkloadSpec(Part):
    """What a workload wants. `replicas` means nothing for a DaemonSet."""

    replicas: Number = 1
    selector: Selector = Selector()
    template: PodTemplate = PodTemplate()


class WorkloadStatus(Part):
    """How a workload fares, in the words of Deployments and StatefulSets and in those of DaemonSets."""

    observed_generation: Number = 0
    ready_replicas: Number = 0
    updated_replicas: Number = 0
    desired_number_scheduled: Number = 0
    number_ready: Number = 0
    updated_number_scheduled: Number = 0


class Workload(Part):
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


class Waiting(Part):
    """Why a container hasn't started."""

    reason: str = ""
    message: str = ""


class Terminated(Part):
    """How a container ended."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0
    finished_at: AwareDatetime | None = None


class Running(Part):
    """A container is running."""

    started_at: AwareDatetime | None = None


class State(Part):
    """A container's state; one of the three is set."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part):
    """A container as the kubelet sees it."""

    name: Name
    ready: bool = False
    restart_count: Number = 0
    state: State = State()
    last_state: State = State()


class PodStatus(Part):
    """A pod as the kubelet sees it."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Part):
    """A pod."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def statuses(self) -> tuple[ContainerStatus, ...]:
        """The statuses of init containers and containers, in the order in which they start."""
        return (*self.status.init_container_statuses, *self.status.container_statuses)


class _Involved(Part):
    kind: str = ""
    name: str = ""


class Event(Part):
    """Something that happened to an object."""

    reason: str = ""
    message: str = ""
    involved_object: _Involved = _Involved()


class _ServicePort(Part):
    target_port: int | str = ""
    port: int = 0


class ServiceSpec(Part):
    """Which pods a Service sends to, and on which ports."""

    selector: Labels = Field(default_factory=dict)
    ports: tuple[_ServicePort, ...] = ()


class Service(Part):
    """A Service."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


T = TypeVar("T")


class Items(Part, Generic[T]):
    """A list as `kubectl_get` answers it."""

    items: tuple[T, ...]
