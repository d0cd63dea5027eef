"""Everything a runbook may look at, read once and put in order. Each piece knows its evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from graph.runbooks.answers import Sourced
from graph.runbooks.objects import ContainerStatus, Event, Pod, Service, Workload
from graph.runbooks.templates import Container, PodSpec
from tools.patch import PatchArguments

# the kubelet waits at most 5 minutes between two restarts: twice that without a crash is a good sign
_CALM = timedelta(minutes=10)


@dataclass(frozen=True)
class LogTail:
    """The end of one container's log; `previous` is the run before the last restart."""

    container: str
    previous: bool
    text: str


@dataclass(frozen=True)
class Sighting:
    """One container of one living pod: as the kubelet sees it, and as the workload's template wants it."""

    pod: Pod
    status: ContainerStatus
    wanted: Container | None
    """None for a container that the template doesn't name: something else put it into the pod."""


@dataclass(frozen=True)
class Snapshot:
    """A workload and what surrounds it. What the credential couldn't read is None or empty."""

    at: datetime
    workload: Sourced[Workload]
    pods: Sourced[tuple[Pod, ...]]
    """The workload's own, without those being deleted."""
    revisions: Sourced[tuple[Workload, ...]] | None = None
    """A Deployment's ReplicaSets, the newest revision first; None for other kinds."""
    events: tuple[Sourced[tuple[Event, ...]], ...] = ()
    siblings: Sourced[tuple[Workload, ...]] | None = None
    """The other Deployments of the namespace."""
    services: Sourced[tuple[Service, ...]] | None = None
    logs: tuple[Sourced[LogTail], ...] = ()
    description: Sourced[str] | None = None
    tried: tuple[PatchArguments, ...] = ()

    @property
    def template(self) -> PodSpec:
        """The containers that the workload wants now."""
        return self.workload.value.pod_spec

    @property
    def older_revisions(self) -> tuple[Workload, ...]:
        """The ReplicaSets before the newest one, the last first."""
        return self.revisions.value[1:] if self.revisions else ()

    @property
    def newest_pods(self) -> tuple[Pod, ...]:
        """The pods made from the template as it is now."""
        if self.revisions and self.revisions.value:
            newest = self.revisions.value[0].metadata.uid
            return tuple(pod for pod in self.pods.value if pod.metadata.is_controlled_by(newest))
        return tuple(pod for pod in self.pods.value if _images(pod.spec) >= _images(self.template))

    def sightings(self) -> Iterator[Sighting]:
        """Return every container of the newest pods."""
        for pod in self.newest_pods:
            for status in pod.statuses:
                yield Sighting(pod, status, self.template.find(status.name))

    def is_unwell(self, status: ContainerStatus, *, init: bool) -> bool:
        """Whether a container waits, isn't ready, or crashed a short while ago."""
        if init and status.state.terminated and status.state.terminated.exit_code == 0:
            return False
        running = status.state.running is not None
        return not running or not (status.ready or init) or self.crashed_lately(status)

    def crashed_lately(self, status: ContainerStatus) -> bool:
        """Whether a container ended in the last 10 minutes: just restarted, it looks healthy for a moment."""
        ends = (status.state.terminated, status.last_state.terminated)
        return any(end and (end.finished_at is None or self.at - end.finished_at < _CALM) for end in ends)

    @property
    def is_healthy(self) -> bool:
        """Whether all replicas are there and ready, and no container waits or keeps crashing."""
        return self.workload.value.is_settled and not any(
            self.is_unwell(status, init=pod.spec.is_init(status.name))
            for pod in self.pods.value
            for status in pod.statuses
        )

    def events_of(self, pods: tuple[Pod, ...]) -> Iterator[Sourced[Event]]:
        """Return what happened to these pods."""
        names = {pod.metadata.name for pod in pods}
        for source in self.events:
            for event in source.value:
                if event.involved_object.kind == "Pod" and event.involved_object.name in names:
                    yield Sourced(source.evidence, event)


def _images(spec: PodSpec) -> set[tuple[str, str]]:
    return {(each.name, each.image) for each in (*spec.containers, *spec.init_containers)}
