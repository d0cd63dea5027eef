"""A StatefulSet's pod of an older template that isn't ready: only its deletion gets the update going."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver
from tests.unit.graph.runbooks.runbook_cases import MadeUpCluster, decide, waiting

GOOD = {"name": "db", "image": "redis:7"}


def replacing(**changes: Any) -> MadeUpCluster:
    """Return a StatefulSet whose template is right, and one pod of the older one that was wrong."""
    labels = {"controller-revision-hash": changes.pop("made_from", "db-1")}
    old_image, spec = changes.pop("image", "redis:7-"), changes.pop("set", {})

    class StatefulSet(MadeUpCluster):
        @property
        def workload(self) -> dict[str, Any]:
            made = super().workload
            status = {"observedGeneration": 1, "updateRevision": "db-2", "replicas": 1}
            return {**made, "kind": "StatefulSet", "spec": {**made["spec"], **spec}, "status": status}

        @property
        def pod(self) -> dict[str, Any]:
            made = super().pod
            owner = {"kind": "StatefulSet", "name": "shop", "uid": "uid-shop", "controller": True}
            metadata = {**made["metadata"], "labels": labels, "ownerReferences": [owner]}
            containers = [{**GOOD, "image": old_image}]
            return {**made, "metadata": metadata, "spec": {"containers": containers}}

    return StatefulSet(containers=[GOOD], statuses=[waiting("db", "ImagePullBackOff")], **changes)


@pytest.mark.parametrize("image", ["redis:7-", "redis:7"])
async def test_the_pod_to_delete_is_named_whatever_it_was_that_its_template_had_wrong(image: str) -> None:
    step = await decide(replacing(image=image))

    assert isinstance(step, HandOver), step
    assert step.diagnosis is not None
    assert step.diagnosis.runbook == "stuck_pod"
    assert "kubectl delete pod shop-698c8b469-882fm -n default" in step.advice[0]


async def test_a_fix_that_waits_for_such_a_pod_stays_in_place() -> None:
    after = await decide(replacing(), fixed_by="image_pull")
    before = await decide(replacing())

    assert isinstance(after, HandOver)
    assert after.keep
    assert isinstance(before, HandOver)
    assert not before.keep


@pytest.mark.parametrize(
    ("changes", "stuck"),
    [
        ({"made_from": "db-2"}, False),
        ({"set": {"podManagementPolicy": "Parallel"}}, False),
        ({"set": {"podManagementPolicy": "Parallel", "updateStrategy": {"type": "OnDelete"}}}, True),
    ],
)
async def test_a_controller_that_goes_on_by_itself_is_not_blamed(
    changes: dict[str, Any], *, stuck: bool
) -> None:
    step = await decide(replacing(**changes), rechecks=9)

    diagnosis = getattr(step, "diagnosis", None)
    assert (diagnosis is not None and diagnosis.runbook == "stuck_pod") is stuck
