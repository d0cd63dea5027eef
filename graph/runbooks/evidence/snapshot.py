"""Everything a runbook may look at, read once and put in order. Each piece knows its evidence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from graph.cluster.container_status import ContainerStatus
from graph.cluster.generated_names import is_made_by, name_patterns
from graph.cluster.object_links import Key
from graph.runbooks.evidence.network_reads import Front
from graph.runbooks.objects.answers import Sourced
from graph.runbooks.objects.memory_bounds import Bounds
from graph.runbooks.objects.neighbours import Claim, ConfigMap, Named, Node, Service
from graph.runbooks.objects.pod_template import Container, PodSpec
from graph.runbooks.objects.workloads import Event, Metadata, Pod, Workload
from tools.kubernetes.patch import PatchArguments

# whose revisions are ControllerRevisions: they make no pods
_RECORDED = frozenset({"StatefulSet", "DaemonSet"})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LogTail:
    """The end of one container's log; `previous` is the run before the last restart."""

    container: str
    previous: bool
    text: str


@dataclass(frozen=True)
class UnreadLog:
    """A log that couldn't be read, and why; `is_silent` if nobody answered for the pod's node."""

    pod: str
    container: str
    node: str
    why: str
    is_silent: bool


@dataclass(frozen=True)
class ObservedContainer:
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
    ended: tuple[Pod, ...] = ()
    """Its pods that are over and still listed, such as evicted ones."""
    leaving: tuple[Pod, ...] = ()
    """Its pods that are being deleted."""
    revisions: Sourced[tuple[Workload, ...]] | None = None
    """A Deployment's ReplicaSets, others' ControllerRevisions, the newest first; None for a Job."""
    events: tuple[Sourced[tuple[Event, ...]], ...] = ()
    siblings: Sourced[tuple[Workload, ...]] | None = None
    """The other Deployments of the namespace."""
    services: Sourced[tuple[Service, ...]] | None = None
    config_maps: Sourced[tuple[str, ...]] | None = None
    """The names of the namespace's ConfigMaps."""
    keys: tuple[Sourced[ConfigMap], ...] = ()
    """Those ConfigMaps of which a key is missed."""
    nodes: Sourced[tuple[Node, ...]] | None = None
    claims: Sourced[tuple[Claim, ...]] | None = None
    storage_classes: Sourced[tuple[Named, ...]] | None = None
    bounds: Bounds = (None, None)
    """The namespace's limit ranges and quotas; they are read only where memory ran out."""
    service_accounts: Sourced[tuple[str, ...]] | None = None
    """The names of the namespace's ServiceAccounts."""
    logs: tuple[Sourced[LogTail], ...] = ()
    unread: tuple[Sourced[UnreadLog], ...] = ()
    """The logs that couldn't be read, though the containers have run."""
    gaps: tuple[Sourced[str], ...] = ()
    """The lists that couldn't be read, each with why."""
    description: Sourced[str] | None = None
    tried: tuple[PatchArguments, ...] = ()
    alerts: tuple[str, ...] = ()
    """The names of the alerts that fire."""
    front: Front | None = None
    """What stands before the pods; it is read only where these are well."""

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
        if self.workload.value.kind == "Job":
            return (*self.pods.value, *self.ended)
        if self.workload.value.kind == "Deployment" and self.revisions and self.revisions.value:
            newest = self.revisions.value[0].metadata.uid
            return tuple(pod for pod in self.pods.value if pod.metadata.is_controlled_by(newest))
        latest = self.workload.value.status.update_revision
        return tuple(
            pod
            for pod in self.pods.value
            if _images(pod.spec) >= _images(self.template) and (not latest or pod.made_from in {latest, ""})
        )

    @property
    def unmade_pods(self) -> tuple[Pod, ...]:
        """The newest pods none of whose containers has ever been started."""
        return tuple(pod for pod in self.newest_pods if all(_is_unmade(one) for one in pod.statuses))

    def sightings(self) -> Iterator[ObservedContainer]:
        """Return every container of the newest pods."""
        for pod in self.newest_pods:
            for status in pod.statuses:
                yield ObservedContainer(pod, status, self.template.find(status.name))

    def is_unwell(self, status: ContainerStatus, *, init: bool) -> bool:
        """Whether a container waits, isn't ready, or crashed a short while ago."""
        end, once = status.state.terminated, self.template.restart_policy != "Always"
        if (init or once) and end and end.exit_code == 0:
            return False
        running = status.state.running is not None
        return not running or not (status.ready or init) or self.crashed_lately(status)

    def crashed_lately(self, status: ContainerStatus) -> bool:
        """Whether a container ended in the last 10 minutes: just restarted, it looks healthy for a moment."""
        return status.ended_lately(self.at)

    def is_crash_looping(self, sighting: ObservedContainer) -> bool:
        """Whether a container is in a crash loop, in whichever of a loop's states it was seen."""
        stays = sighting.pod.spec.stays_up(sighting.status.name)
        return sighting.status.crash_loops(self.at, stays=stays)

    @property
    def is_healthy(self) -> bool:
        """Whether all replicas are there and ready, every pod is Ready, and no container is unwell."""
        once = self.workload.value.kind == "Job"  # whose pods are Ready only while they run
        return self.workload.value.is_settled and not any(
            pod.unschedulable is not None
            or not (once or pod.is_ready)
            or any(self.is_unwell(status, init=pod.spec.initialises(status.name)) for status in pod.statuses)
            for pod in self.pods.value
        )

    def events_of(self, pods: tuple[Pod, ...], *reasons: str) -> Iterator[Sourced[Event]]:
        """Return what happened to these pods, the newest first; without reasons, whatever it was."""
        return self._events("Pod", [pod.metadata for pod in pods], reasons)

    def starts_of(self, revision: Workload) -> Iterator[str]:
        """Return the evidence that containers of a Deployment's revision have started, gone or not."""
        for source in self.events:
            for event in source.value:
                about = event.involved_object
                if (event.reason, about.kind) == ("Started", "Pod") and is_made_by(
                    revision.metadata.name, about.name
                ):
                    yield source.evidence

    def is_about_own_pod(self, event: Event) -> bool:
        """Whether an event happened to a pod of the workload, even to one that is gone."""
        known = {pod.metadata.name: pod for pod in (*self.pods.value, *self.ended, *self.leaving)}
        about = event.involved_object
        if pod := known.get(about.name):
            return event.is_about("Pod", pod.metadata)
        makers = (self.workload.value, *(self.revisions.value if self.revisions else ()))
        keys = {Key.of(one.kind, one.metadata.namespace, one.metadata.name) for one in makers}
        gone = Key.of(about.kind, self.workload.value.metadata.namespace, about.name)
        return any(pattern.matches(gone) for pattern in name_patterns(keys))

    def own_events(self) -> Iterator[Sourced[Event]]:
        """Return what happened to the workload itself, the newest first."""
        workload = self.workload.value
        return self._events(workload.kind, [workload.metadata], ())

    def refusals(self) -> Iterator[Sourced[str]]:
        """Return why pods of the newest template can't be made, as the API server told their controller."""
        workload = self.workload.value
        wanted, made, _ = workload.counts
        if workload.is_counted and len(self.pods.value) >= wanted and made >= wanted:
            return
        replicasets = self.revisions.value[:1] if self.revisions and workload.kind not in _RECORDED else ()
        makers = (
            ("ReplicaSet", [each.metadata for each in replicasets]),
            (workload.kind, [workload.metadata]),
        )
        for kind, owners in makers:
            for event in self._events(kind, owners, ("FailedCreate",)):
                yield Sourced(event.evidence, event.value.message)
        if failure := workload.condition("ReplicaFailure"):  # events are forgotten after an hour
            yield Sourced(self.workload.evidence, failure.message)

    def _events(
        self, kind: str, objects: Iterable[Metadata], reasons: tuple[str, ...]
    ) -> Iterator[Sourced[Event]]:
        known = {each.name: each for each in objects}
        about = [
            Sourced(source.evidence, event)
            for source in self.events
            for event in source.value
            if (of := known.get(event.involved_object.name)) and event.is_about(kind, of)
            if not reasons or event.reason in reasons
        ]
        # of those that say the same, the latest counts
        latest = {(each.value.reason, each.value.message): each for each in sorted(about, key=_seen_at)}
        yield from sorted(latest.values(), key=_seen_at, reverse=True)


def _seen_at(event: Sourced[Event]) -> datetime:
    return event.value.seen_at or _LONG_AGO


def _is_unmade(status: ContainerStatus) -> bool:
    states = (status.state, status.last_state)
    return status.restart_count == 0 and not any(state.running or state.terminated for state in states)


def _images(spec: PodSpec) -> set[tuple[str, str]]:
    return {(each.name, each.image) for each in (*spec.containers, *spec.init_containers)}
