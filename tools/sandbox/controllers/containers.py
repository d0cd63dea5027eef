"""One container's life: pulled, started, probed, crashed, waiting for its next try.

A state machine with one method per phase; texts are those of kubelets on containerd.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tools.sandbox.api_server.images import Catalogue, ImageRule, explain_pull_failure, parse_reference
from tools.sandbox.api_server.kubelet_age import KubeletAge
from tools.sandbox.api_server.store import Object, timestamp, uid_of
from tools.sandbox.controllers.events import Recorder, Source
from tools.sandbox.controllers.probes import explain_probe_failure
from tools.sandbox.controllers.program_endings import KILLED, Fate, find_fate
from tools.sandbox.controllers.timing import SandboxTiming

# what the runtime says of a program that never ran
_NEVER = "1970-01-01T00:00:00Z"
_KUBELET_BACKOFF, _KUBELET_LONGEST = 10, 300


@dataclass(frozen=True)
class Surroundings:
    """What a container needs from its node. `explain_missing` says which ConfigMap or Secret is missing."""

    pace: SandboxTiming
    age: KubeletAge
    catalogue: Catalogue
    recorder: Recorder
    explain_missing: Callable[[Object, Object], str | None]


@dataclass
class ProbeRound:
    """When a probe is due next, and how often it failed in a row."""

    due: float = 0.0
    failures: int = 0


@dataclass
class Container:
    """One container of one pod; `spec` and `pod` are as last read from the store."""

    spec: Object
    pod: Object
    around: Surroundings
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    logs: list[tuple[str, str]] = field(default_factory=list)
    previous_logs: list[tuple[str, str]] | None = None
    container_id: str = ""
    done: bool = False
    _phase: str = "pull"
    _due: float = 0.0
    _failures: int = 0
    _probes: dict[str, ProbeRound] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the container's name."""
        return str(self.spec["name"])

    def step(self, now: float) -> None:
        """Live on to `now` (seconds of a clock that never goes back)."""
        if not self.done and now >= self._due:
            getattr(self, f"_{self._phase}")(now)

    def status(self) -> Object:
        """Return the container's entry in the pod's status."""
        image_id = hashlib.sha256(self.spec["image"].encode()).hexdigest()
        reference = parse_reference(self.spec["image"])
        ran = bool(self.container_id) and reference is not None
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": f"{reference.registry}/{reference.repository}@sha256:{image_id}"
            if ran and reference
            else "",
            **({"containerID": self.container_id} if self.container_id else {}),
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }

    def _enter(self, phase: str, due: float) -> None:
        self._phase, self._due = phase, due

    def _wait(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}

    def _note(self, reason: str, message: str) -> None:
        self.around.recorder.note(self._source, self.pod, reason, message, container=self.name)

    def _warn(self, reason: str, message: str) -> None:
        self.around.recorder.warn(self._source, self.pod, reason, message, container=self.name)

    @property
    def _source(self) -> Source:
        return Source("kubelet", self.pod["spec"]["nodeName"])

    def _pull(self, now: float) -> None:
        image, pace = self.spec["image"], self.around.pace
        if parse_reference(image) is None:
            parsing = f'couldn\'t parse image name "{image}": invalid reference format'
            message = f'Failed to apply default image tag "{image}": {parsing}'
            self._warn("InspectFailed", message)
            self._warn("Failed", "Error: InvalidImageName")
            self._wait("InvalidImageName", message)
            self._enter("pull", now + pace.longest_backoff)
            return
        self._note("Pulling", f'Pulling image "{image}"')
        self._enter("pulled", now + pace.pull)

    def _pulled(self, now: float) -> None:
        image, pace = self.spec["image"], self.around.pace
        reference = parse_reference(image)
        assert reference is not None, "an unparsable image never leaves the pull phase"
        why = explain_pull_failure(self.around.catalogue, reference)
        if why is None:
            took = f"{pace.pull * 1000:.0f}ms"
            text = f'Successfully pulled image "{image}" in {took} ({took} including waiting).'
            self._note("Pulled", f"{text} Image size: 71005258 bytes.")
            self._failures = 0
            self._enter("start", now)
            return
        self._failures += 1
        self._warn("Failed", f'Failed to pull image "{image}": {why}')
        self._warn("Failed", "Error: ErrImagePull")
        self._wait("ErrImagePull", why)
        self._enter("pull_backoff", now + pace.report)

    def _pull_backoff(self, now: float) -> None:
        message = f'Back-off pulling image "{self.spec["image"]}"'
        self._note("BackOff", message)
        self._warn("Failed", "Error: ImagePullBackOff")
        self._wait("ImagePullBackOff", message)
        self._enter("pull", now + self.around.pace.backoff(self._failures))

    def _start(self, now: float) -> None:
        why = self.around.explain_missing(self.pod, self.spec)
        if why is not None:
            self._warn("Failed", f"Error: {why}")
            self._wait("CreateContainerConfigError", why)
            self._enter("start", now + self.around.pace.first_backoff)
            return
        serial = f"{uid_of(self.pod)}/{self.name}/{self.restarts}"
        self.container_id = f"containerd://{hashlib.sha256(serial.encode()).hexdigest()}"
        self._note("Created", self.around.age.say_created(self.name))
        if self.logs or self.restarts:
            self.previous_logs = self.logs
        self.logs = []
        fate = self._fate()
        if fate is not None and not fate.starts:
            self._fail_to_start(now, fate)
            return
        self._note("Started", self.around.age.say_started(self.name))
        self._put_end_behind()
        self.state = {"running": {"startedAt": timestamp()}}
        self.logs = [(timestamp(), line) for line in self._rule.logs]
        self.started = "startupProbe" not in self.spec
        # A program that will crash looks healthy until it does, as in a real cluster.
        self.ready = self.started and "readinessProbe" not in self.spec
        self._probes = {name: self._first_round(name, now) for name in _PROBES if name in self.spec}
        self._enter("run" if fate is None else "exit", now + (0 if fate is None else self.around.pace.crash))

    @property
    def _rule(self) -> ImageRule:
        reference = parse_reference(self.spec["image"])
        assert reference is not None, "only a pulled image is started"
        return self.around.catalogue.images[reference.short]

    def _fate(self) -> Fate | None:
        """Return how the program will end by itself, or None."""
        return find_fate(self.pod, self.spec, self._rule)

    def _exit(self, now: float) -> None:
        self._end(now, self._fate() or Fate("Error", 1))

    def _end(self, now: float, fate: Fate) -> None:
        self.logs += [(timestamp(), line) for line in fate.words]
        self.ready = self.started = False
        self.state = self._ended(fate, self.state["running"]["startedAt"])
        if self.around.age.waits_between_crashes:
            self.last_state = self.state
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if policy == "Never" or (policy == "OnFailure" and fate.exit_code == 0):
            self.done = True
            return
        self._failures += 1
        self._enter("recover", now + self.around.pace.report)

    def _fail_to_start(self, now: float, fate: Fate) -> None:
        (said,) = fate.words
        self._warn("Failed", f"Error: {said}")
        ended = self._ended(fate, _NEVER)
        ended["terminated"]["message"] = said
        self.last_state = ended
        self._wait("RunContainerError", said)
        self._failures += 1
        self._enter("recover", now + self.around.pace.report)

    def _ended(self, fate: Fate, started_at: str) -> Object:
        return {
            "terminated": {
                "exitCode": fate.exit_code,
                "reason": fate.reason,
                "startedAt": started_at,
                "finishedAt": timestamp(),
                "containerID": self.container_id,
            }
        }

    def _put_end_behind(self) -> None:
        """Make the state of an ended container its last one, as it gets another."""
        if "terminated" in self.state:
            self.last_state = self.state

    def _recover(self, now: float) -> None:
        if self._failures == 1:
            self._restart(now)
            return
        self._warn("BackOff", f"Back-off restarting failed container {self.name} in pod {self._place}")
        if self.around.age.waits_between_crashes:
            self._back_off(now)
            return
        pace = self.around.pace
        self._enter("back_off", now + pace.backoff(self._failures - 1) - pace.back_off_shows)

    def _back_off(self, now: float) -> None:
        """Wait in `CrashLoopBackOff`: a current kubelet's container does so near the end of the back-off."""
        pace, age = self.around.pace, self.around.age
        waits = min(_KUBELET_BACKOFF * 2 ** min(self._failures - 2, 10), _KUBELET_LONGEST)
        self._put_end_behind()
        self._wait(
            "CrashLoopBackOff",
            f"back-off {go_duration(waits)} restarting failed container={self.name} pod={self._place}",
        )
        left = pace.backoff(self._failures - 1) if age.waits_between_crashes else pace.back_off_shows
        self._enter("restart", now + left)

    @property
    def _place(self) -> str:
        metadata = self.pod["metadata"]
        return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"

    def _restart(self, now: float) -> None:
        self.restarts += 1
        self._note("Pulled", self.around.age.say_present(self.spec["image"]))
        self._start(now)

    def _run(self, now: float) -> None:
        for name, round_ in self._probes.items():
            waiting = not self.started and name != "startupProbe"
            if waiting or now < round_.due or (self.started and name == "startupProbe"):
                continue
            self._probe(now, name, round_)
            if "running" not in self.state:
                return

    def _first_round(self, name: str, now: float) -> ProbeRound:
        pace, delay = self.around.pace, self.spec[name].get("initialDelaySeconds", 0)
        return ProbeRound(now + max(pace.start, min(delay, pace.longest_probe_period)))

    def _probe(self, now: float, name: str, round_: ProbeRound) -> None:
        probe = self.spec[name]
        why = explain_probe_failure(probe, self.spec, self.pod, self._rule)
        round_.due = now + min(probe["periodSeconds"], self.around.pace.longest_probe_period)
        round_.failures = 0 if why is None else round_.failures + 1
        if why is not None:
            self._warn("Unhealthy", f"{_PROBES[name]} probe failed: {why}")
        if name == "readinessProbe":
            self.ready = why is None or (self.ready and round_.failures < probe["failureThreshold"])
        elif name == "startupProbe" and why is None:
            self.started, self.ready = True, "readinessProbe" not in self.spec
        if name != "readinessProbe" and round_.failures >= probe["failureThreshold"]:
            word = _PROBES[name].lower()
            self._note("Killing", f"Container {self.name} failed {word} probe, will be restarted")
            self._end(now, Fate("Error", KILLED))


_PROBES: dict[str, Any] = {
    "startupProbe": "Startup",
    "livenessProbe": "Liveness",
    "readinessProbe": "Readiness",
}


def go_duration(seconds: int) -> str:
    """Return whole seconds as Go prints a duration: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
