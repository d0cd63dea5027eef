"""Plans that are approved together with a change: how it will be verified, and how to take it back."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import jsonpatch

from graph.cluster.health import longest_crashed_life
from graph.cluster.workloads import pods_of, selects
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Candidate
from graph.domain.proposal import Predicate, UndoPlan, VerificationPlan
from graph.policy.document import VerificationWindows
from graph.ports import ClusterReader
from tools.errors import MendgateError
from tools.grants import Preview

_VOLATILE = frozenset({"managedFields", "resourceVersion", "generation", "annotations"})
_WORKLOAD_PREDICATES: tuple[Predicate, ...] = (
    "in_place", "observed_generation", "rollout_complete", "pods_ready", "restarts_stable", "symptom_gone",
)  # fmt: skip


class OtherCluster(MendgateError):
    """The reader's credential and the writer's lead to different clusters."""


async def plan_verification(
    cluster_reader: ClusterReader, workload: Target, uid: str, windows: VerificationWindows
) -> VerificationPlan:
    """Return what must hold for the workload after a change, or raise `OtherCluster`.

    A crash-looping container looks healthy just after its start, so the window is at least twice the longest
    life seen to end in a crash.
    """
    document = await cluster_reader.get(workload.kind, workload.name, workload.namespace)
    if document["metadata"]["uid"] != uid:
        raise OtherCluster(f"the two credentials see two objects called {workload}: check the kubeconfigs")
    if workload.kind == "Service":
        return _plan_for_service(workload, windows)
    pods = await pods_of(cluster_reader, document)
    labels = document["spec"]["template"]["metadata"].get("labels") or {}
    services = await cluster_reader.list("Service", workload.namespace)
    matching = tuple(sorted(item["metadata"]["name"] for item in services if selects(item, labels)))
    least, most = windows.window.total_seconds(), windows.longest_window.total_seconds()
    window = min(max(least, 2 * longest_crashed_life(pods)), max(least, most))
    return VerificationPlan(
        workload=workload,
        predicates=(*_WORKLOAD_PREDICATES, "endpoints_present") if matching else _WORKLOAD_PREDICATES,
        window_seconds=window,
        budget_seconds=max(windows.budget.total_seconds(), 2 * window),
        services=matching,
    )


def _plan_for_service(service: Target, windows: VerificationWindows) -> VerificationPlan:
    """Return what shows that a Service leads somewhere: it is as approved, and has ready addresses."""
    window = windows.window.total_seconds()
    return VerificationPlan(
        workload=service,
        predicates=("in_place", "endpoints_present"),
        window_seconds=window,
        budget_seconds=max(windows.budget.total_seconds(), 2 * window),
        services=(service.name,),
    )


def plan_restoration(workload: Target, windows: VerificationWindows) -> VerificationPlan:
    """Return how an undo is verified: the old values are back, whether or not they are healthy."""
    return VerificationPlan(
        workload=workload,
        predicates=("in_place", "observed_generation"),
        window_seconds=0,
        budget_seconds=windows.budget.total_seconds(),
    )


def plan_undo(preview: Preview) -> UndoPlan:
    """Return the patch that gives every changed field its old value back; our annotation stays.

    Lists are addressed by position in a JSON patch, so each operation is preceded by tests: the containers on
    its way still have their names, and the field still has the value that the fix gave it.
    """
    after = deepcopy(_restorable(preview.after))
    inverse = jsonpatch.JsonPatch.from_diff(after, _restorable(preview.before), optimization=False)
    operations: list[dict[str, Any]] = []
    for operation in inverse:  # each is addressed in what those before it have left
        operations += [*_guards(after, operation), operation]
        # in place: a copy of a large object for each of many operations takes minutes
        after = jsonpatch.JsonPatch([deepcopy(operation)]).apply(after, in_place=True)
    fields = "; ".join(
        f"{change.path} back to {'absent' if change.added else change.before!r}"
        for change in preview.diff
        if not change.path.startswith("metadata.annotations")
    )
    call = preview.arguments.model_copy(update={"patch_type": "json", "patch_data": operations})
    return UndoPlan(summary=fields, call=call)


def _guards(after: Any, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    value, path = after, ""
    *way, last = jsonpatch.JsonPointer(operation["path"]).parts
    for part in way:
        value = value[int(part)] if isinstance(value, list) else value[part]
        path += f"/{_escape(part)}"
        if isinstance(value, dict) and "name" in value:
            yield {"op": "test", "path": f"{path}/name", "value": value["name"]}
    if operation["op"] in {"replace", "remove"}:
        present = deepcopy(value[int(last)] if isinstance(value, list) else value[last])
        yield {"op": "test", "path": operation["path"], "value": present}


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


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


def _restorable(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in document.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in document["metadata"].items() if key not in _VOLATILE}
    return kept
