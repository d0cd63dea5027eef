"""The boundaries at which a service is killed: around every node and every step that must not be lost.

Most lie in the service's own process, which wraps its methods and kills itself there. Those of the patch lie
at the API server, which kills the service while it holds its request.
"""

import functools
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

When = Literal["before", "after"]
At = Literal["arrived", "taken", "late"]


@dataclass(frozen=True)
class Inside:
    """A method of the service: `module:Class.method`."""

    method: str
    when: When


@dataclass(frozen=True)
class AtServer:
    """A moment of the patch at the API server.

    `arrived`: not taken, and never will be. `taken`: applied, and nobody is there to hear so. `late`: on its
    way, and it gets in just before the next patch.
    """

    moment: At


@dataclass(frozen=True)
class Boundary:
    """One place, and its name in the table; `once`: the next life of the service doesn't come here again."""

    name: str
    place: Inside | AtServer
    once: bool = False


@dataclass(frozen=True)
class Kill:
    """Death at a boundary, or so many seconds after it."""

    boundary: Boundary
    delay_seconds: float = 0.0

    def arm(self) -> None:
        """Make this process kill itself there. At the server, that is the server's business."""
        place = self.boundary.place
        if isinstance(place, AtServer):
            return
        module, _, path = place.method.partition(":")
        owner, _, name = path.partition(".")
        holder = getattr(import_module(module), owner)
        setattr(holder, name, self._dying(getattr(holder, name), place.when))

    def _dying(self, method: Callable[..., Awaitable[Any]], when: When) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(method)
        async def dying(*arguments: Any, **options: Any) -> Any:
            if when == "before":
                self._strike()
            result = await method(*arguments, **options)
            if when == "after":
                self._strike()
            return result

        return dying

    def _strike(self) -> None:
        if self.delay_seconds:
            threading.Timer(self.delay_seconds, _die).start()
        else:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _around(node: str, method: str) -> tuple[Boundary, ...]:
    return (
        Boundary(f"before {node}", Inside(method, "before")),
        Boundary(f"after {node}", Inside(method, "after")),
    )


_PROPOSE = "graph.nodes.remediation:Remediation.propose_fix"
_PAUSE = "graph.nodes.remediation:Remediation.await_approval"
_APPLY = "graph.nodes.remediation:Remediation.apply_fix"
_RESULT = "checkpoints.approvals.store:Approvals.record_outcome"
_VERIFY = "graph.nodes.conclusion:Conclusion.verify_fix"
_REPORT = "graph.nodes.conclusion:Conclusion.generate_report"
BOUNDARIES = (
    Boundary("after the webhook's commit", Inside("checkpoints.alerts.intake:Intake.accept", "after")),
    *_around("receive_alert", "graph.nodes.investigation:Investigation.receive_alert"),
    *_around("analyze_root_cause", "graph.nodes.investigation:Investigation.analyze_root_cause"),
    *_around("run_tool", "graph.nodes.investigation:Investigation.run_tool"),
    Boundary("before propose_fix", Inside(_PROPOSE, "before")),
    Boundary(
        "after the proposal is stored", Inside("checkpoints.approvals.store:Approvals.propose", "after")
    ),
    Boundary("after propose_fix", Inside(_PROPOSE, "after")),
    Boundary("before await_approval", Inside(_PAUSE, "before")),
    Boundary(
        "after the decision is stored",
        Inside("checkpoints.approvals.decisions:Decisions.decide", "after"),
        once=True,
    ),
    Boundary("after await_approval", Inside(_PAUSE, "after")),
    Boundary("before apply_fix", Inside(_APPLY, "before")),
    *_around("the claim", "checkpoints.approvals.store:Approvals.claim"),
    *_around("the intent", "checkpoints.approvals.store:Approvals.record_intent"),
    Boundary("the patch arrived, not taken", AtServer("arrived")),
    Boundary("the patch taken, not answered", AtServer("taken"), once=True),
    Boundary("the patch on its way, taken late", AtServer("late"), once=True),
    Boundary("before the result", Inside(_RESULT, "before")),
    Boundary("after the result", Inside(_RESULT, "after"), once=True),
    Boundary("after apply_fix", Inside(_APPLY, "after")),
    Boundary("before verify_fix", Inside(_VERIFY, "before")),
    Boundary("in the middle of verification", Inside("graph.cluster.verification:Verifier.look", "after")),
    Boundary("after the verdict", Inside("checkpoints.incidents.store:Incidents.set_verification", "after")),
    Boundary("after verify_fix", Inside(_VERIFY, "after")),
    Boundary("before generate_report", Inside(_REPORT, "before")),
    Boundary("before the report is stored", Inside("checkpoints.incidents.store:Incidents.finish", "before")),
    Boundary("after generate_report", Inside(_REPORT, "after"), once=True),
)
"""In the order in which a run comes to them."""
