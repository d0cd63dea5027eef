"""A container as the kubelet sees it, and whether it crash-loops.

Kubelets show a crash loop in two ways. Older ones let the container wait in `CrashLoopBackOff` between two
runs; current ones leave it `terminated` (`Error`, `OOMKilled`, …) for most of that time. In between it runs
for a few seconds and looks well. All three are one and the same fault.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime

from graph.domain.lenient_model import Name, Number, Part

# A kubelet waits at most 5 minutes between two restarts: twice that without a crash is a good sign.
CALM = timedelta(minutes=10)
# The runtime can't start the program, or what must follow its start fails: the kubelet tries again and again.
CANNOT_START = frozenset(
    {
        "RunContainerError",
        "CreateContainerError",
        "StartError",
        "ContainerCannotRun",
        "PostStartHookError",
        "RunInitContainerError",
    }
)
_BACK_OFF = "CrashLoopBackOff"


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
    started: bool = False
    restart_count: Number = 0
    state: State = State()
    last_state: State = State()

    @property
    def ends(self) -> tuple[Terminated, ...]:
        """How its runs ended as far as the kubelet remembers, the latest first."""
        return tuple(end for end in (self.state.terminated, self.last_state.terminated) if end)

    @property
    def has_run(self) -> bool:
        """Whether it was ever started."""
        return self.state.running is not None or bool(self.ends) or self.restart_count > 0

    def ended_lately(self, at: datetime) -> bool:
        """Whether it ended in the last 10 minutes: just restarted, it looks healthy for a moment."""
        if any(end.finished_at is not None and at - end.finished_at < CALM for end in self.ends):
            return True
        # a node that lost its containers doesn't say when they ended: the start of the next run does
        untimed = any(end.finished_at is None for end in self.ends)
        if untimed and not (self.state.running and self.state.running.started_at):
            return True
        return (untimed or not self.ends) and self._restarted_lately(at)

    def crash_loops(self, at: datetime, *, stays: bool) -> bool:
        """Whether it is in a crash loop at this moment, whichever of a loop's states it is in.

        `stays`: it should run for ever, so that an exit with 0 is as wrong as any (`stays_up`). A first crash
        is no loop yet, unless the program can't be started at all.
        """
        state = self.state
        if state.waiting and state.waiting.reason in {_BACK_OFF, *CANNOT_START}:
            return True
        if state.terminated:
            again = self.restart_count > 0 or state.terminated.reason in CANNOT_START
            return again and _is_bad(state.terminated, stays=stays)
        last = self.last_state.terminated
        if last is None:
            return self._restarted_lately(at)
        return self.restart_count > 0 and _is_bad(last, stays=stays) and self.ended_lately(at)

    def _restarted_lately(self, at: datetime) -> bool:
        """Whether it was started again a short while ago, where the kubelet has forgotten how it ended."""
        began = self.state.running.started_at if self.state.running else None
        return self.restart_count > 0 and began is not None and at - began < CALM


def stays_up(pod_spec: Mapping[str, Any], name: str) -> bool:
    """Whether a container of a pod should run for ever: no init container but a sidecar, and no Job's."""
    init = next((one for one in pod_spec.get("initContainers") or [] if one.get("name") == name), None)
    policy = pod_spec.get("restartPolicy", "Always") if init is None else init.get("restartPolicy")
    return bool(policy == "Always")


def _is_bad(end: Terminated, *, stays: bool) -> bool:
    return stays or end.exit_code != 0 or end.reason == "OOMKilled"
