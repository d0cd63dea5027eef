"""The containers that aren't well, what each of them does, and what is quoted about them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from graph.cluster.container_status import ContainerStatus, Terminated
from graph.runbooks.evidence.decisive_lines import quote_ends
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.exit_codes import describe_end
from graph.runbooks.objects.workloads import Pod


@dataclass(frozen=True)
class Clue:
    """One thing that is said of a fault. `said` is foreign text, empty where nothing but `state` is known.

    `state` says what the object does, `source` who says `said`, `look` by which command a person sees more.
    """

    about: str
    state: str
    evidence: str
    said: str = ""
    source: str = ""
    look: str = ""
    decides: bool = True
    """Whether it says what is wrong, and isn't only the last that was heard."""

    def __str__(self) -> str:
        if not self.said:
            return f"{self.about} {self.state} [{self.evidence}]"
        return f"{self.about}: {quote_ends(self.said)} ({self.source}) [{self.evidence}]"


@dataclass(frozen=True)
class UnwellContainer:
    """One container that isn't well, and its pod. `doing` is what it does, a key of the witnesses' table."""

    snapshot: Snapshot
    pod: Pod
    status: ContainerStatus
    doing: str
    base: Clue

    def tell(self, said: str, source: str, evidence: str, *, decides: bool = True) -> Clue:
        """Return a clue about the container."""
        return replace(self.base, said=said, source=source, evidence=evidence, decides=decides)

    @property
    def end(self) -> Terminated | None:
        """How its last run ended, or None."""
        return next(iter(self.status.ends), None)


def list_unwell_pods(snapshot: Snapshot) -> list[Pod]:
    """Return the pods that aren't well, those of the newest template first."""
    newest = snapshot.newest_pods
    others = (pod for pod in snapshot.pods.value or snapshot.ended if pod not in newest)
    return [pod for pod in (*newest, *others) if not pod.is_ready or _is_any_unwell(snapshot, pod)]


def list_scenes(snapshot: Snapshot, pod: Pod) -> Iterator[UnwellContainer]:
    """Yield the containers of a pod that aren't well, but for those that only wait for another one."""
    blocker = find_blocker(pod)
    for status in pod.statuses:
        if blocker and status is not blocker and not status.state.running:
            continue
        if status is blocker or snapshot.is_unwell(status, init=pod.spec.initialises(status.name)):
            doing, state = _classify(snapshot, pod, status, waits=status is blocker)
            about = f"{'Init container' if pod.spec.is_init(status.name) else 'Container'} {status.name}"
            look = _look(snapshot, pod, status, doing)
            yield UnwellContainer(
                snapshot, pod, status, doing, Clue(about, state, snapshot.pods.evidence, look=look)
            )


def make_bare_scene(snapshot: Snapshot, pod: Pod) -> UnwellContainer:
    """Return the scene of a pod as a whole, of which there are no containers yet, or soon no more."""
    look, leaves = _describe(snapshot, pod), pod.metadata.deletion_timestamp
    overdue = f"is being deleted, and should have been gone{_say(leaves, snapshot.at)}"
    state = overdue if leaves else "has no containers yet"
    base = Clue(f"Pod {pod.metadata.name}", state, snapshot.pods.evidence, look=look)
    return UnwellContainer(snapshot, pod, ContainerStatus(name="none"), "unmade", base)


def is_overdue(snapshot: Snapshot, pod: Pod) -> bool:
    """Whether a pod that is being deleted should have been gone for more than a minute."""
    return bool(_say(pod.metadata.deletion_timestamp, snapshot.at))


def find_blocker(pod: Pod) -> ContainerStatus | None:
    """Return the init container that the others wait for, or None once all have done their part."""
    for status in pod.status.init_container_statuses:
        end = status.state.terminated
        done = bool(end and end.exit_code == 0) if pod.spec.initialises(status.name) else status.started
        if not done:
            return status
    return None


def _is_any_unwell(snapshot: Snapshot, pod: Pod) -> bool:
    return any(snapshot.is_unwell(status, init=pod.spec.initialises(status.name)) for status in pod.statuses)


def _classify(snapshot: Snapshot, pod: Pod, status: ContainerStatus, *, waits: bool) -> tuple[str, str]:
    """Return what a container does, as a key and in words."""
    state, end = status.state, next(iter(status.ends), None)
    if state.running and not (end and snapshot.crashed_lately(status)):
        for_how_long = _say(state.running.started_at, snapshot.at)
        if waits:
            until = "it is done" if pod.spec.initialises(status.name) else "it has started"
            return "waited for", f"has been running{for_how_long}, and its pod waits until {until}"
        last = f"; its last run {describe_end(end)}" if end else ""
        return "unready", f"runs{for_how_long}, but isn't ready{last}"
    if end:
        return "ended", f"{describe_end(end)}{_ends_by_itself(pod, status, end)}{_restarts(status)}"
    reason = quote(state.waiting.reason) if state.waiting else ""
    return "unmade", f"waits in {reason or 'no given state'}{_say(pod.status.start_time, snapshot.at)}"


def _ends_by_itself(pod: Pod, status: ContainerStatus, end: Terminated) -> str:
    """Return what is odd where a container ended well, but is meant to go on running; else nothing."""
    if end.exit_code or not pod.spec.stays_up(status.name):
        return ""
    spec = pod.spec.find(status.name)
    told = (
        "" if spec and (spec.command or spec.args) else "; it is given no command, so the image's own ended"
    )
    return f", though such a container is meant to go on running{told}"


def _restarts(status: ContainerStatus) -> str:
    waits = f" ({quote(status.state.waiting.reason)})" if status.state.waiting else ""
    times = f"{status.restart_count} time{'s' if status.restart_count > 1 else ''}"
    return f"; it was restarted {times}{waits}" if status.restart_count else waits


def _look(snapshot: Snapshot, pod: Pod, status: ContainerStatus, doing: str) -> str:
    describe = _describe(snapshot, pod)
    if doing == "unmade":
        return describe
    # of a container that has ended, `--previous` is the run before, whose log a current kubelet throws away
    before = status.restart_count and doing == "ended" and not status.state.terminated
    previous = " --previous" if before else ""
    where = f"{pod.metadata.name} -c {status.name} -n {snapshot.workload.value.metadata.namespace}"
    return f"kubectl logs {where}{previous}; {describe}"


def _describe(snapshot: Snapshot, pod: Pod) -> str:
    return f"kubectl describe pod {pod.metadata.name} -n {snapshot.workload.value.metadata.namespace}"


def _say(since: datetime | None, now: datetime) -> str:
    minutes = int((now - since).total_seconds() // 60) if since else 0
    return f" for {minutes} minutes" if minutes > 1 else ""
