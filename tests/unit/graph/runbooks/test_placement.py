"""Pods that find no node, no room in a quota, or no volume: what is proposed, and what a person must do."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch
from tests.unit.graph.runbooks.runbook_cases import (
    MadeUpCluster,
    decide,
    event,
    fields_of,
    named,
    runbook_of,
    waiting,
)

NO_MATCH = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
READY = {"type": "Ready", "status": "True"}


def node(name: str, labels: dict[str, str], *, ready: bool = True, **spec: Any) -> dict[str, Any]:
    condition = READY if ready else {**READY, "status": "Unknown"}
    status = {"allocatable": {"cpu": "4", "memory": "8Gi"}, "conditions": [condition]}
    return named(name, metadata={"labels": labels}, spec=spec, status=status)


def container(requests: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": "app", "image": "shop/api:1.0", "resources": {"requests": requests or {}}, **fields}


def pending(
    message: str,
    spec: dict[str, Any] | None = None,
    nodes: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> MadeUpCluster:
    fields: dict[str, Any] = {
        "containers": [container()],
        "statuses": [],
        "spec": spec or {},
        "condition": {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
        },
        "lists": {
            "nodes": [node("n1", {"disk": "ssd"}), node("n2", {"disk": "ssd"})] if nodes is None else nodes
        },
    }
    return MadeUpCluster(**(fields | changes))


async def test_a_misspelt_label_value_becomes_the_one_that_nodes_have() -> None:
    step = await decide(pending(NO_MATCH, {"nodeSelector": {"disk": "sdd"}}))

    assert fields_of(step) == {"nodeSelector": {"disk": "ssd"}}
    assert isinstance(step, ProposePatch)
    assert step.diagnosis.runbook == "unschedulable"


async def test_a_pod_without_a_node_beside_a_healthy_older_one_is_not_healthy() -> None:
    step = await decide(
        pending(NO_MATCH, {"nodeSelector": {"disk": "sdd"}}, older=[[container()]], ready_older=1)
    )

    assert isinstance(step, ProposePatch)


async def test_a_misspelt_label_key_becomes_the_one_that_nodes_have() -> None:
    step = await decide(
        pending(NO_MATCH, {"nodeSelector": {"disktpye": "ssd"}}, [node("n", {"disktype": "ssd"})])
    )

    assert fields_of(step) == {"nodeSelector": {"disktpye": None, "disktype": "ssd"}}


async def test_the_selector_of_the_last_revision_comes_first() -> None:
    step = await decide(
        pending(
            NO_MATCH,
            {"nodeSelector": {"disk": "nvme"}},
            older=[[container()]],
            older_specs=[{"nodeSelector": {"disk": "ssd"}}],
        )
    )

    assert fields_of(step) == {"nodeSelector": {"disk": "ssd"}}
    assert isinstance(step, ProposePatch)
    assert step.candidate.grounding == "last_good_revision"


async def test_an_older_placement_that_no_node_takes_either_is_not_proposed() -> None:
    step = await decide(
        pending(
            NO_MATCH,
            {"nodeSelector": {"disk": "nvme"}},
            older=[[container()]],
            older_specs=[{"nodeSelector": {"disk": "tape"}}],
        )
    )

    assert isinstance(step, HandOver)
    assert "kubectl label node NODE disk=nvme" in step.advice[0]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("n1", {"zone": "a1x"}), node("n2", {"zone": "a1y"})],
        [node("n1", {"zone": "a1x"}, ready=False)],
        [node("n1", {"zone": "a1x"}, taints=[{"key": "gpu", "effect": "NoSchedule"}])],
        [],
    ],
)
async def test_labels_that_are_ambiguous_or_lead_nowhere_are_left_to_a_person(nodes: list[Any]) -> None:
    step = await decide(pending(NO_MATCH, {"nodeSelector": {"zone": "a1z"}}, nodes))

    assert isinstance(step, HandOver)


async def test_a_request_beyond_every_node_goes_back_to_the_older_one() -> None:
    said = "0/2 nodes are available: 2 Insufficient cpu."
    huge = [container({"cpu": "64"})]

    back = await decide(pending(said, containers=huge, older=[[container({"cpu": "500m"})]]))
    asked = await decide(pending(said, containers=huge))
    full = await decide(
        pending(said, containers=[container({"cpu": "3"})], older=[[container({"cpu": "1"})]])
    )

    assert fields_of(back) == {"containers": [{"name": "app", "resources": {"requests": {"cpu": "500m"}}}]}
    assert isinstance(asked, HandOver)
    assert "it asks for more than any node has" in asked.reason
    assert isinstance(full, HandOver), "an empty node would take it: the cluster is full"


async def test_a_taint_is_a_persons_affair_unless_the_last_revision_tolerated_it() -> None:
    taint = {"key": "dedicated", "value": "shop", "effect": "NoSchedule"}
    toleration = {"key": "dedicated", "operator": "Equal", "value": "shop", "effect": "NoSchedule"}
    said = "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: shop}."
    nodes = [node("n1", {}, taints=[taint])]

    alone = await decide(pending(said, nodes=nodes))
    before = await decide(
        pending(said, nodes=nodes, older=[[container()]], older_specs=[{"tolerations": [toleration]}])
    )

    assert isinstance(alone, HandOver)
    assert "dedicated=shop:NoSchedule" in alone.advice[0]
    assert fields_of(before) == {"tolerations": [toleration]}


def refused(message: str, **changes: Any) -> MadeUpCluster:
    words = f'Error creating: pods "shop-1-x" is forbidden: {message}'
    fields: dict[str, Any] = {
        "containers": [container()],
        "statuses": [],
        "no_pods": True,
        "events": [event("FailedCreate", words, "ReplicaSet", f"shop-{len(changes.get('older', [])) + 1}")],
    }
    return MadeUpCluster(**(fields | changes))


QUOTA = (
    "exceeded quota: compute, requested: requests.cpu=3, used: requests.cpu=1500m, limited: requests.cpu=2"
)


async def test_a_quota_that_is_used_up_gets_the_older_request_if_that_fits() -> None:
    asked = [container({"cpu": "3"})]

    fits = await decide(refused(QUOTA, containers=asked, older=[[container({"cpu": "500m"})]]))
    too_much = await decide(refused(QUOTA, containers=asked, older=[[container({"cpu": "1"})]]))
    alone = await decide(refused(QUOTA, containers=asked))

    assert fields_of(fits)["containers"][0]["resources"] == {"requests": {"cpu": "500m"}}
    assert isinstance(too_much, HandOver)
    assert isinstance(alone, HandOver)
    assert "requests.cpu 3 asked, 1500m of 2 in use" in alone.reason
    assert "kubectl describe quota compute -n default" in alone.advice[0]


async def test_a_limit_range_states_the_bound_to_propose() -> None:
    made = container(resources={"limits": {"memory": "2Gi"}, "requests": {"memory": "64Mi"}})
    said = "maximum memory usage per Container is 1Gi, but limit is 2Gi"

    step = await decide(refused(said, containers=[made, container(name="other")]))

    assert fields_of(step) == {"containers": [{"name": "app", "resources": {"limits": {"memory": "1Gi"}}}]}


async def test_a_missing_serviceaccount_is_named_and_left_to_a_person() -> None:
    said = 'error looking up service account default/shp: serviceaccount "shp" not found'

    step = await decide(
        refused(said, lists={"serviceaccounts": [named("default"), named("ship"), named("web")]})
    )

    assert isinstance(step, HandOver)
    assert "kubectl create serviceaccount shp" in step.advice[0]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ('violates PodSecurity "restricted:latest": privileged', "security standard"),
        ("no PriorityClass with name high was found", "PriorityClass high"),
        ("failed quota: compute: must specify limits.cpu for: app", "limits.cpu for: app"),
    ],
)
async def test_other_refusals_are_explained(said: str, word: str) -> None:
    step = await decide(refused(said))

    assert isinstance(step, HandOver)
    assert word in step.reason


async def test_a_refusal_of_an_older_revisions_pods_says_nothing_of_the_newest() -> None:
    old = event("FailedCreate", f"Error creating: {QUOTA}", "ReplicaSet", "shop-1")

    step = await decide(refused(QUOTA, older=[[container()]], events=[old]))

    assert not runbook_of(step)


def claim(name: str, storage: str | None, phase: str = "Pending") -> dict[str, Any]:
    return named(name, spec={"storageClassName": storage}, status={"phase": phase})


def mounting(name: str) -> dict[str, Any]:
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}


ABSENT = '0/2 nodes are available: persistentvolumeclaim "dta" not found. preemption: 0/2 nodes are available'


async def test_a_claim_that_does_not_exist_is_handed_over_with_the_one_that_was_mounted_before() -> None:
    lists = {"persistentvolumeclaims": [claim("data", "fast", "Bound")]}

    alone = await decide(pending(ABSENT, mounting("lost"), lists=lists))
    before = await decide(
        pending(
            ABSENT.replace("dta", "lost"),
            mounting("lost"),
            lists=lists,
            older=[[container()]],
            older_specs=[mounting("data")],
        )
    )

    assert isinstance(alone, HandOver)
    assert isinstance(before, HandOver)
    assert "PersistentVolumeClaim lost" in before.reason
    assert "It may mean data" in before.advice[0]


async def test_a_claim_of_an_unknown_class_is_handed_over_with_the_class_that_was_meant() -> None:
    lists = {
        "persistentvolumeclaims": [claim("data", "fsat-ssd"), claim("other", "nothing")],
        "storageclasses": [named("fast-ssd"), named("standard")],
    }
    said = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."

    step = await decide(pending(said, mounting("data"), lists=lists))

    assert isinstance(step, HandOver)
    assert (
        "claim data wants StorageClass fsat-ssd, which doesn't exist (it probably means fast-ssd)"
        in step.reason
    )
    assert "other" not in step.reason


async def test_a_volume_that_is_attached_elsewhere_is_explained() -> None:
    said = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) shop-old'
    cluster = MadeUpCluster(
        containers=[container()],
        statuses=[waiting("app", "ContainerCreating")],
        events=[event("FailedAttachVolume", said)],
    )

    step = await decide(cluster)

    assert isinstance(step, HandOver)
    assert "strategy Recreate" in step.advice[0]


async def test_a_pod_on_a_dead_node_names_the_node() -> None:
    cluster = MadeUpCluster(
        containers=[container()],
        statuses=[{"name": "app", "ready": True, "state": {"running": {}}}],
        spec={"nodeName": "n1"},
        condition={"type": "Ready", "status": "False"},
        lists={"nodes": [node("n1", {}, ready=False), node("n2", {})]},
    )

    step = await decide(cluster)

    assert isinstance(step, HandOver)
    assert "node n1 isn't ready" in step.reason
    assert "kubectl describe node n1" in step.advice[0]
