"""What was written, held against what was approved: what is more is named, what others do by right isn't."""

import copy
from typing import Any

import pytest

from tools.kubernetes.diff import FieldChange
from tools.kubernetes.readback import DEVIATES, find_deviation, find_unlikeness, fingerprint

IMAGE = FieldChange(path="spec.template.spec.containers[web].image", before="web:1-", after="web:1")
EXPECTED: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "web", "annotations": {"mendgate.io/approval": "apr-1"}, "generation": 2},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
    "status": {"replicas": 1},
}


def changed(**changes: Any) -> dict[str, Any]:
    live = copy.deepcopy(EXPECTED)
    live["spec"] |= changes.pop("spec", {})
    live["metadata"] |= changes.pop("metadata", {})
    live["spec"]["template"]["spec"] |= changes
    return live


@pytest.mark.parametrize("moved_on", [False, True])
@pytest.mark.parametrize(
    "live",
    [
        changed(
            containers=[*EXPECTED["spec"]["template"]["spec"]["containers"], {"name": "x", "image": "x"}]
        ),
        changed(containers=[{"name": "web", "image": "web:2"}]),
        changed(hostNetwork=True),
        changed(metadata={"labels": {"a": "b"}}),
        changed(spec={"paused": True}),
    ],
)
def test_whatever_is_more_or_otherwise_is_named(live: dict[str, Any], moved_on: bool) -> None:
    found = find_deviation(EXPECTED, live, [IMAGE], moved_on=moved_on)

    assert found.startswith(DEVIATES)
    assert ("somebody" in found) == moved_on


def test_what_controllers_and_autoscalers_do_is_no_deviation() -> None:
    revision = {"annotations": {"mendgate.io/approval": "apr-1", "deployment.kubernetes.io/revision": "2"}}
    controlled = changed(metadata={**revision, "generation": 2, "resourceVersion": "9"}) | {"status": {}}
    scaled = changed(spec={"replicas": 5})

    assert find_deviation(EXPECTED, controlled, [IMAGE], moved_on=False) == ""
    assert find_deviation(EXPECTED, scaled, [IMAGE], moved_on=True) == ""
    assert find_unlikeness(fingerprint(EXPECTED), scaled) == ""


def test_another_number_of_replicas_in_the_write_itself_is_one() -> None:
    scaled = changed(spec={"replicas": 5})
    approved = FieldChange(path="spec.replicas", before=2, after=1)

    assert "replicas: 1 → 5" in find_deviation(EXPECTED, scaled, [IMAGE], moved_on=False)
    assert "replicas: 1 → 5" in find_deviation(EXPECTED, scaled, [approved], moved_on=True)


def test_what_is_named_is_short_and_holds_no_secret() -> None:
    env = [{"name": f"DB_PASSWORD{number}", "value": "hunter2"} for number in range(99)]
    many = {"spec": {f"field{number}": "x" * 5000 for number in range(99)}}

    secret = find_deviation(EXPECTED, changed(containers=[{"name": "web", "image": "web:1", "env": env}]), [],
                            moved_on=False)  # fmt: skip
    long = find_deviation(EXPECTED, changed(**many), [], moved_on=False)

    assert secret
    assert "hunter2" not in secret
    assert long.endswith("; and 93 more")
    assert len(long) < 2000


def test_after_a_crash_a_fingerprint_finds_what_was_changed_and_nothing_stored_is_no_proof() -> None:
    assert find_unlikeness(fingerprint(EXPECTED), EXPECTED) == ""
    assert "is otherwise" in find_unlikeness(fingerprint(EXPECTED), changed(hostNetwork=True))
    assert "can't be compared" in find_unlikeness(None, EXPECTED)
    assert "can't be compared" in find_unlikeness("", EXPECTED)
