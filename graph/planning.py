"""Plans that are approved together with a change: how it will be verified, and how to take it back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jsonpatch

from graph.diagnosis import Candidate
from graph.ports import Observer
from graph.proposal import Predicate, UndoPlan, VerificationPlan
from graph.targets import Target
from graph.workloads import pods_of, selects
from tools.executor import Preview

_VOLATILE = frozenset({"managedFields", "resourceVersion", "generation", "annotations"})
_WORKLOAD_PREDICATES: tuple[Predicate, ...] = (
    "observed_generation", "rollout_complete", "pods_ready", "restarts_stable", "symptom_gone",
)  # fmt: skip


@dataclass(frozen=True)
class Windows:
    """How long health must last to count, at least and at most, and how long to wait for it; in seconds."""

    stable_seconds: float = 60.0
    longest_stable_seconds: float = 300.0
    budget_seconds: float = 600.0


async def plan_verification(observer: Observer, workload: Target, windows: Windows) -> VerificationPlan:
    """Return what must hold for the workload after a change.

    A crash-looping container looks healthy just after its start, so the window is at least twice the longest
    life seen to end in a crash.
    """
    document = await observer.get(workload.kind, workload.name, workload.namespace)
    pods = await pods_of(observer, document)
    labels = document["spec"]["template"]["metadata"].get("labels") or {}
    services = await observer.list("Service", workload.namespace)
    matching = tuple(sorted(item["metadata"]["name"] for item in services if selects(item, labels)))
    window = min(
        max(windows.stable_seconds, 2 * longest_crashed_life(pods)),
        max(windows.stable_seconds, windows.longest_stable_seconds),
    )
    return VerificationPlan(
        workload=workload,
        predicates=(*_WORKLOAD_PREDICATES, "endpoints_present") if matching else _WORKLOAD_PREDICATES,
        window_seconds=window,
        budget_seconds=max(windows.budget_seconds, 2 * window),
        services=matching,
    )


def plan_restoration(workload: Target, windows: Windows) -> VerificationPlan:
    """Return how an undo is verified: the old values are back, whether or not they are healthy."""
    return VerificationPlan(
        workload=workload,
        predicates=("observed_generation", "restored"),
        window_seconds=0,
        budget_seconds=windows.budget_seconds,
    )


def plan_undo(preview: Preview) -> UndoPlan:
    """Return the patch that gives every changed field its old value back; our annotation stays."""
    operations = list(jsonpatch.make_patch(_restorable(preview.after), _restorable(preview.before)))
    fields = "; ".join(
        f"{change.path} back to {'absent' if change.added else change.before!r}"
        for change in preview.diff
        if not change.path.startswith("metadata.annotations")
    )
    call = preview.arguments.model_copy(update={"patch_type": "json", "patch_data": operations})
    return UndoPlan(summary=fields, call=call)


def undo_candidate(undo: UndoPlan, earlier: Candidate | None) -> Candidate | None:
    """Return the undo as a change to propose, or None where there is none.

    `earlier` takes back a change applied before this one that didn't help either: it comes second, so that
    the object ends as it was before both.
    """
    if undo.call is None:
        return earlier
    operations = [*undo.call.patch_data, *(earlier.call.patch_data if earlier else ())]
    call = undo.call.model_copy(update={"patch_data": operations})
    basis = "Takes back what was applied and didn't help."
    return Candidate(call=call, purpose="undo", grounding="same_object", basis=basis, risk="medium")


def longest_crashed_life(pods: Iterable[Mapping[str, Any]]) -> float:
    """Return for how many seconds the longest-lived container that crashed had run; 0 if none did."""
    lives = [
        _seconds(ended["startedAt"], ended["finishedAt"])
        for pod in pods
        for status in pod.get("status", {}).get("containerStatuses") or []
        for ended in (
            status.get("state", {}).get("terminated"),
            status.get("lastState", {}).get("terminated"),
        )
        if ended and ended.get("startedAt") and ended.get("finishedAt")
    ]
    return max(lives, default=0.0)


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _restorable(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in document["metadata"].items() if key not in _VOLATILE}
    return kept
