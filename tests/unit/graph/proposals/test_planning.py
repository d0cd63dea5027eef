"""Undo plans: they give back what was there, to the same container, or nothing at all."""

import copy
from typing import Any

import jsonpatch
import pytest

from graph.cluster.health import longest_crashed_life
from graph.proposals.planning import plan_undo, undo_candidate
from tools.grants import ExecutingServer, Preview
from tools.kubernetes.diff import diff_objects
from tools.kubernetes.patch import PatchArguments

Object = dict[str, Any]


def deployment(*containers: Object) -> Object:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "u"},
        "spec": {"template": {"spec": {"containers": list(containers)}}},
    }


def preview(before: Object, after: Object) -> Preview:
    call = PatchArguments(resource_type="deployment", name="web", namespace="default", patch_data={})
    server = ExecutingServer(name="s", version="1", schema_sha256="0" * 64)
    return Preview(
        arguments=call, server=server, kind="Deployment", uid="u", diff=diff_objects(before, after),
        before=before, after=after,
    )  # fmt: skip


def undo(before: Object, after: Object) -> list[Object]:
    call = plan_undo(preview(before, after)).call
    assert call is not None
    assert isinstance(call.patch_data, list)
    return call.patch_data


BEFORE = deployment({"name": "nginx", "image": "nginx:1.25-", "tty": True})
AFTER = deployment({"name": "nginx", "image": "nginx:1.25", "stdin": True})


def test_an_undo_gives_back_exactly_what_was_there() -> None:
    assert jsonpatch.apply_patch(AFTER, undo(BEFORE, AFTER)) == BEFORE


def test_an_undo_refuses_another_container_in_the_same_place() -> None:
    moved = copy.deepcopy(AFTER)
    moved["spec"]["template"]["spec"]["containers"].insert(0, {"name": "aaa", "image": "nginx:1.25"})

    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(moved, undo(BEFORE, AFTER))


def test_an_undo_refuses_a_value_that_somebody_changed_since() -> None:
    changed = deployment({"name": "nginx", "image": "nginx:1.26", "stdin": True})

    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(changed, undo(BEFORE, AFTER))


def test_two_changes_that_did_not_help_are_taken_back_together() -> None:
    last = deployment({"name": "nginx", "image": "nginx:1.26", "stdin": True})
    first = undo_candidate(plan_undo(preview(BEFORE, AFTER)), None)
    both = undo_candidate(plan_undo(preview(AFTER, last)), first)

    assert both is not None
    assert isinstance(both.call.patch_data, list)
    assert jsonpatch.apply_patch(last, both.call.patch_data) == BEFORE


def test_the_longest_life_that_ended_in_a_crash_is_found() -> None:
    def ended(start: str, end: str) -> Object:
        return {
            "terminated": {
                "startedAt": f"2026-01-01T00:00:{start}Z",
                "finishedAt": f"2026-01-01T00:00:{end}Z",
            }
        }

    statuses = [{"state": {}, "lastState": ended("00", "07")}, {"state": ended("10", "13"), "lastState": {}}]

    assert longest_crashed_life([{"status": {"containerStatuses": statuses}}, {"status": {}}]) == 7
    assert longest_crashed_life([{"status": {"initContainerStatuses": statuses}}]) == 7


def test_a_program_that_could_not_be_started_has_not_lived() -> None:
    never = {
        "reason": "StartError",
        "startedAt": "1970-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:07Z",
    }
    statuses = [{"name": "app", "state": {"waiting": {}}, "lastState": {"terminated": never}}]

    assert longest_crashed_life([{"status": {"containerStatuses": statuses}}]) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([80], [80, 81, 82]),
        ([80, 81, 82], [80, 82, 81]),
        ([80, 81, 82], [82]),
        ([], [81, 82, 83]),
    ],
)
def test_an_undo_of_several_items_of_a_list_gives_back_what_was(before: list[int], after: list[int]) -> None:
    def document(ports: list[int], image: str) -> dict[str, Any]:
        container = {"name": "web", "image": image, "ports": [{"containerPort": port} for port in ports]}
        return {"metadata": {"name": "web"}, "spec": {"containers": [container], "ports": ports}}

    old, new = document(before, "nginx:1"), document(after, "nginx:2")

    assert jsonpatch.JsonPatch(undo(old, new)).apply(new) == old


def test_an_undo_of_many_changes_gives_back_exactly_what_was_there() -> None:
    before = deployment({"name": "web", "args": [f"--{one}" for one in range(300)], "image": "a:1"})
    after = deployment({"name": "web", "args": [{"odd": [one]} for one in range(200)], "env": []})
    kept = copy.deepcopy(after)

    assert jsonpatch.apply_patch(after, undo(before, after)) == before
    assert after == kept


def test_an_init_container_that_ended_well_has_not_crashed_however_long_it_took() -> None:
    run = {"startedAt": "2026-11-30T10:00:00Z", "finishedAt": "2026-11-30T10:04:00Z"}
    spec = {"initContainers": [{"name": "migrate"}], "containers": [{"name": "app"}]}

    def life(code: int) -> float:
        status = {"name": "migrate", "state": {"terminated": {**run, "exitCode": code}}}
        return longest_crashed_life([{"spec": spec, "status": {"initContainerStatuses": [status]}}])

    assert (life(0), life(1)) == (0, 240)
