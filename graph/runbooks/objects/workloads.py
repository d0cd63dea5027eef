"""The parts of Kubernetes objects that runbooks read, as frozen models."""

from typing import Generic, TypeVar

from pydantic import AwareDatetime, Field, field_validator

from graph.cluster.container_status import ContainerStatus
from graph.cluster.workloads import Condition, WorkloadStatus
from graph.domain.alerts.targets import Target
from graph.domain.lenient_model import Name, Number, Part
from graph.runbooks.objects.pod_template import Container, PodSpec, PodTemplate

_REVISION = "deployment.kubernetes.io/revision"
_REVISION_DIGITS = 12
_REVISION_HASH = "controller-revision-hash"
Labels = dict[str, str]


class Owner(Part):
    """Who made an object and takes care of it."""

    kind: str
    name: Name
    uid: str = ""
    controller: bool = False
    api_version: str = ""


class Metadata(Part):
    """An object's identity. `uid` is empty where the answer left it out."""

    name: Name
    namespace: Name = "default"
    uid: str = ""
    generation: Number = 0
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    owner_references: tuple[Owner, ...] = ()
    creation_timestamp: AwareDatetime | None = None
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


class UpdateStrategy(Part):
    """How a StatefulSet's or DaemonSet's pods are replaced."""

    type: str = "RollingUpdate"


class _Called(Part):
    name: str = ""


class ClaimTemplate(Part):
    """A claim that a StatefulSet makes for each of its pods, mounted by its name."""

    metadata: _Called = _Called()


class WorkloadSpec(Part):
    """What a workload wants. `replicas` means nothing for a DaemonSet, `completions` is a Job's."""

    replicas: Number = 1
    completions: Number = 1
    paused: bool = False
    suspend: bool = False
    backoff_limit: Number = 6
    active_deadline_seconds: Number | None = None
    pod_management_policy: str = "OrderedReady"
    update_strategy: UpdateStrategy = UpdateStrategy()
    selector: Selector = Selector()
    template: PodTemplate = PodTemplate()
    volume_claim_templates: tuple[ClaimTemplate, ...] = ()


class Workload(Part):
    """A Deployment, StatefulSet, DaemonSet, Job, or a revision of one."""

    kind: str
    metadata: Metadata
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    def __str__(self) -> str:
        return f"{self.kind}/{self.metadata.name} in {self.metadata.namespace}"

    @property
    def target(self) -> Target:
        """The workload as the object to blame or to change."""
        return Target(kind=self.kind, namespace=self.metadata.namespace, name=self.metadata.name)

    @property
    def pod_spec(self) -> PodSpec:
        """The pod that the template describes."""
        return self.spec.template.spec

    def condition(self, kind: str, status: str = "True") -> Condition | None:
        """Return the condition of that type if it has that status, or None."""
        found = (each for each in self.status.conditions if (each.type, each.status) == (kind, status))
        return next(found, None)

    @property
    def revision(self) -> int:
        """The revision that a Deployment gave its ReplicaSet; 0 if it gave none."""
        text = self.metadata.annotations.get(_REVISION, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _REVISION_DIGITS else 0

    def data_volume(self, container: Container) -> str | None:
        """Return the name of a volume on which a container keeps data that outlives its pod, or None."""
        kept = {each.metadata.name for each in self.spec.volume_claim_templates}
        kept |= {
            each.name for each in self.pod_spec.volumes if each.persistent_volume_claim or each.host_path
        }
        mounts = (each.name for each in container.volume_mounts if not each.read_only)
        return next((name for name in mounts if name in kept), None)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many pods are wanted, of the newest template, and ready."""
        status = self.status
        if self.kind == "DaemonSet":
            return status.desired_number_scheduled, status.updated_number_scheduled, status.number_ready
        if self.kind == "Job":
            return self.spec.completions, status.active + status.succeeded, status.ready + status.succeeded
        return self.spec.replicas, status.updated_replicas, status.ready_replicas

    @property
    def is_counted(self) -> bool:
        """Whether it is known how many pods are wanted; a DaemonSet has no count until one could be made."""
        return self.kind != "DaemonSet" or self.status.observed_generation >= self.metadata.generation

    @property
    def is_settled(self) -> bool:
        """Whether its rollout is complete, as verification judges it. A Job: whether its pods are ready."""
        seen = self.status.observed_generation >= self.metadata.generation
        if replicas := self.status.count(self.kind, self.spec.replicas):
            return seen and replicas.settled
        wanted, made, ready = self.counts
        return seen and made >= wanted and ready >= wanted


class _Recorded(Part):
    spec: WorkloadSpec = WorkloadSpec()


class ControllerRevision(Part):
    """A template that a StatefulSet or a DaemonSet had."""

    metadata: Metadata
    revision: Number = 0
    data: _Recorded = _Recorded()

    def as_workload(self) -> Workload:
        """Return it as a Deployment keeps its own: a workload with the template and the revision."""
        metadata = self.metadata.model_copy(update={"annotations": {_REVISION: str(self.revision)}})
        return Workload(kind="ControllerRevision", metadata=metadata, spec=self.data.spec)


class PodStatus(Part):
    """A pod as the kubelet sees it."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    start_time: AwareDatetime | None = None
    conditions: tuple[Condition, ...] = ()
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

    @property
    def is_ready(self) -> bool:
        """Whether its Ready condition holds."""
        return any((each.type, each.status) == ("Ready", "True") for each in self.status.conditions)

    @property
    def made_from(self) -> str:
        """The revision of a StatefulSet or a DaemonSet that the pod was made from; empty if it has none."""
        return self.metadata.labels.get(_REVISION_HASH, "")

    @property
    def unschedulable(self) -> str | None:
        """Why the scheduler finds no node for the pod, or None once it has found one."""
        for each in self.status.conditions:
            if (each.type, each.status, each.reason) == ("PodScheduled", "False", "Unschedulable"):
                return each.message
        return None


class _Involved(Part):
    kind: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class _Series(Part):
    count: Number = 0


class Event(Part):
    """Something that happened to an object."""

    reason: str = ""
    message: str = ""
    involved_object: _Involved = _Involved()
    count: Number = 0
    series: _Series = _Series()
    first_timestamp: AwareDatetime | None = None
    last_timestamp: AwareDatetime | None = None
    event_time: AwareDatetime | None = None

    @field_validator("message")
    @classmethod
    def _uncombine(cls, text: str) -> str:
        return text.removeprefix("(combined from similar events): ")

    @property
    def times(self) -> int:
        """How often it happened; events of both APIs count it, in different places."""
        return max(1, self.count, self.series.count)

    @property
    def seen_at(self) -> AwareDatetime | None:
        """When it happened last; None where the answer doesn't say."""
        return self.last_timestamp or self.event_time

    @property
    def first_seen_at(self) -> AwareDatetime | None:
        """When it happened first; None where the answer doesn't say."""
        return self.first_timestamp or self.event_time

    def is_about(self, kind: str, metadata: Metadata) -> bool:
        """Whether it happened to that very object: the name alone may be another one's, long gone."""
        about = self.involved_object
        same = not about.uid or not metadata.uid or about.uid == metadata.uid
        return same and (about.kind, about.name) == (kind, metadata.name)


T = TypeVar("T")


class Items(Part, Generic[T]):
    """A list as `kubectl_get` answers it. `truncated` says what was left out, if anything."""

    items: tuple[T, ...]
    truncated: str = ""
