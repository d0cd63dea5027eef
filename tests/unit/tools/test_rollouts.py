"""Rollout states, in the order in which a rollout passes through them."""

from typing import Any

import pytest

from tools.kubectl.rollouts import rollout_status


def workload(kind: str, status: dict[str, Any], replicas: int = 3) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "web", "generation": 2},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 2, **status},
    }


FULL = {"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}
STUCK = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("Deployment", {"observedGeneration": 1}, "spec update to be observed"),
        ("Deployment", {}, "0 out of 3 new replicas have been updated"),
        ("Deployment", {**FULL, "replicas": 4}, "1 old replicas are pending termination"),
        ("Deployment", {**FULL, "availableReplicas": 1}, "1 of 3 updated replicas are available"),
        ("Deployment", STUCK, "exceeded its progress deadline"),
        ("Deployment", FULL, 'deployment "web" successfully rolled out'),
        ("DaemonSet", {"desiredNumberScheduled": 2}, "0 out of 2 new pods"),
        (
            "DaemonSet",
            {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1},
            "1 of 2 updated pods are available",
        ),
        (
            "StatefulSet",
            {"currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1},
            "1 out of 3 new",
        ),
        (
            "StatefulSet",
            {"currentRevision": "b", "updateRevision": "b", "readyReplicas": 2},
            "2 of 3 updated pods",
        ),
        ("StatefulSet", {"readyReplicas": 3}, 'statefulset "web" successfully rolled out'),
    ],
)
def test_the_state_of_a_rollout_is_told_in_kubectls_words(
    kind: str, status: dict[str, Any], words: str
) -> None:
    assert words in rollout_status(workload(kind, status))
