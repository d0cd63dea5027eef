"""An image that can't be pulled: which value is proposed, and when none is."""

from typing import Any

import pytest

from graph.domain.diagnosis import HandOver, ProposePatch, Step
from graph.runbooks import RunbookDiagnostician
from tests.unit.graph.runbooks.runbook_cases import (
    MadeUpCluster,
    decide,
    deployment,
    event,
    fields_of,
    load,
    running,
    waiting,
)
from tools.kubernetes.patch import PatchArguments

HEALTHY = {
    "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
}  # fmt: skip
MISSING = 'Failed to pull image "shop/api:1.2-": docker.io/shop/api:1.2-: not found'
DENIED = 'Failed to pull image "shop/api:1.2-": pull access denied, repository does not exist'
UNREACHABLE = 'Failed to pull image "shop/api:1.2-": dial tcp: lookup docker.io: no such host'


def container(image: str, name: str = "app") -> dict[str, Any]:
    return {"name": name, "image": image}


def broken(image: str = "shop/api:1.2-", **changes: Any) -> MadeUpCluster:
    fields: dict[str, Any] = {
        "containers": [container(image)],
        "statuses": [waiting("app", "ImagePullBackOff", f'Back-off pulling image "{image}"')],
        "warnings": [MISSING],
    }
    return MadeUpCluster(**(fields | changes))


def image_of(step: Step) -> str:
    assert isinstance(step, ProposePatch), step
    assert isinstance(step.candidate.call.patch_data, dict)
    (found,) = step.candidate.call.patch_data["spec"]["template"]["spec"]["containers"]
    assert found.keys() == {"name", "image"}
    return str(found["image"])


async def test_the_recorded_fault_is_mended_with_the_revision_that_ran() -> None:
    step = (await RunbookDiagnostician().decide(load("image_pull"))).step

    assert isinstance(step, ProposePatch)
    assert step.candidate.call.as_json() == {
        "resourceType": "deployment",
        "name": "rbd-image",
        "namespace": "default",
        "patchType": "strategic",
        "patchData": {
            "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}}}
        },
    }
    assert (step.candidate.grounding, step.candidate.risk) == ("last_good_revision", "low")
    assert step.diagnosis.confidence == "high"
    assert all(part in step.diagnosis.summary for part in ("rbd-image", "nginx:1.25-"))
    assert "set the image" not in step.diagnosis.summary
    assert {"E1", "E2", "E3", "E4"} <= set(step.diagnosis.evidence)


async def test_a_statefulset_without_revisions_gets_the_nearest_tag_as_a_guess() -> None:
    step = (await RunbookDiagnostician().decide(load("statefulset_image"))).step

    assert image_of(step) == "redis:7"
    assert isinstance(step, ProposePatch)
    assert (step.candidate.grounding, step.candidate.risk) == ("guess", "medium")
    assert step.diagnosis.confidence == "low"
    assert "delete that pod" in step.candidate.basis


async def test_a_refused_repository_is_handed_over() -> None:
    step = (await RunbookDiagnostician().decide(load("image_denied"))).step

    assert isinstance(step, HandOver)
    assert step.diagnosis is not None
    assert "imagePullSecrets" in step.advice[0]


async def test_a_revision_whose_pods_are_ready_is_preferred_to_a_later_one() -> None:
    step = await decide(
        broken(older=[[container("shop/api:0.9")], [container("shop/api:1.0")]], ready_older=1)
    )

    assert image_of(step) == "shop/api:1.0"
    assert isinstance(step, ProposePatch)
    assert step.diagnosis.confidence == "high"


@pytest.mark.parametrize("odd", ["shop/api:1.2-", "shop/api:1.1_", "shop/api:latest", "shop/api", "shop//:x"])
async def test_older_revisions_with_unusable_images_are_skipped(odd: str) -> None:
    step = await decide(broken(older=[[container("shop/api:1.0")], [container(odd)]]))

    assert image_of(step) == "shop/api:1.0"


async def test_an_older_image_that_could_not_be_pulled_either_is_skipped() -> None:
    also = 'Failed to pull image "shop/api:1.1": not found'

    step = await decide(
        broken(older=[[container("shop/api:1.0")], [container("shop/api:1.1")]], warnings=[MISSING, also])
    )

    assert image_of(step) == "shop/api:1.0"


async def test_a_healthy_neighbour_of_the_same_repository_comes_second() -> None:
    near = deployment("near", [container("docker.io/shop/api:1.1")], HEALTHY)
    sick = deployment("sick", [container("shop/api:1.2.9")], {})
    other = deployment("other", [container("shop/web:1.2")], HEALTHY)

    step = await decide(broken(siblings=[sick, other, near]))

    assert image_of(step) == "docker.io/shop/api:1.1"
    assert isinstance(step, ProposePatch)
    assert step.candidate.grounding == "sibling"


async def test_values_are_proposed_one_after_the_other_and_then_a_person_is_asked() -> None:
    near = deployment("near", [container("shop/api:1.1")], HEALTHY)
    cluster = broken(older=[[container("shop/api:1.0")]], siblings=[near])
    images: list[str] = []
    tried: list[PatchArguments] = []
    failed_attempts = ("it didn't help",)

    while isinstance(
        step := await decide(cluster, tried=tuple(tried), failed_attempts=failed_attempts), ProposePatch
    ):
        images.append(image_of(step))
        tried.append(step.candidate.call.stamped("A1", None).guarded("u", "42"))

    assert images == ["shop/api:1.0", "shop/api:1.1", "shop/api:1.2"]
    assert isinstance(step, HandOver)
    assert "it didn't help" in step.reason
    assert step.diagnosis is not None


@pytest.mark.parametrize("message", [DENIED, UNREACHABLE])
async def test_another_tag_of_a_repository_that_refuses_or_is_silent_is_not_proposed(message: str) -> None:
    same = broken(older=[[container("shop/api:1.0")]], warnings=[message])
    moved = broken(older=[[container("quay.io/shop/api:1.0")]], warnings=[message])

    assert isinstance(await decide(same), HandOver)
    assert image_of(await decide(moved)) == "quay.io/shop/api:1.0"


async def test_a_repository_called_unauthorized_is_not_taken_for_a_refusal() -> None:
    image = "shop/unauthorized:1.2-"
    message = f'Failed to pull image "{image}": docker.io/{image}: not found'

    step = await decide(broken(image, warnings=[message]))

    assert image_of(step) == "shop/unauthorized:1.2"


@pytest.mark.parametrize(
    ("image", "fixed_by"),
    [("nginx::1.25", "nginx:1.25"), ("Nginx:1.25", "nginx:1.25"), ("nginx: 1.25", "nginx:1.25")],
)
async def test_a_malformed_reference_is_mended_by_its_nearest_form(image: str, fixed_by: str) -> None:
    step = await decide(broken(image, statuses=[waiting("app", "InvalidImageName")], warnings=[]))

    assert image_of(step) == fixed_by


@pytest.mark.parametrize("image", ["nginx:", "nginx:-", "nginx:latest-", "", "@@@", "a" * 5000])
async def test_a_reference_that_cannot_be_mended_is_handed_over(image: str) -> None:
    step = await decide(broken(image, statuses=[waiting("app", "InvalidImageName")], warnings=[]))

    assert isinstance(step, HandOver)


async def test_all_broken_containers_are_mended_at_once_and_sound_ones_left_alone() -> None:
    step = await decide(
        broken(
            containers=[container("shop/api:1.2-"), container("redis:7", "cache")],
            statuses=[waiting("app", "ErrImagePull"), running("cache", ready=True)],
            init_containers=[container("busybox:1.36-", "prepare")],
            init_statuses=[waiting("prepare", "ImagePullBackOff")],
            warnings=[],
        )
    )

    assert isinstance(step, ProposePatch)
    assert isinstance(step.candidate.call.patch_data, dict)
    assert step.candidate.call.patch_data["spec"]["template"]["spec"] == {
        "initContainers": [{"name": "prepare", "image": "busybox:1.36"}],
        "containers": [{"name": "app", "image": "shop/api:1.2"}],
    }


async def test_a_container_that_something_else_injected_is_handed_over() -> None:
    step = await decide(broken(statuses=[waiting("proxy", "ImagePullBackOff")]))

    assert isinstance(step, HandOver)
    assert "injected" in step.advice[0]


async def test_where_access_is_refused_the_pull_secrets_that_worked_come_first() -> None:
    message = 'Failed to pull image "reg.example.com/shop:1": 401 Unauthorized'
    made = container("reg.example.com/shop:1")
    secret = {"imagePullSecrets": [{"name": "regcred"}]}
    near = deployment("near", [container("reg.example.com/web:2")], HEALTHY)
    near["spec"]["template"]["spec"] |= secret
    far = deployment("far", [container("quay.io/web:2")], HEALTHY)
    refused: dict[str, Any] = {"containers": [made], "warnings": [message]}

    ran = await decide(broken(**refused, older=[[made]], older_specs=[secret], ready_older=1))
    unproved = await decide(broken(**refused, older=[[made]], older_specs=[secret]))
    neighbours = await decide(broken(**refused, siblings=[near, far]))
    nobody = await decide(broken(**refused, siblings=[far]))

    assert fields_of(ran) == secret
    assert isinstance(ran, ProposePatch)
    assert ran.candidate.grounding == "last_good_revision"
    for step in (unproved, neighbours, nobody):
        assert isinstance(step, HandOver)
    assert "name the imagePullSecrets regcred" in str(getattr(neighbours, "advice", ""))


@pytest.mark.parametrize(
    ("pod", "proved"),
    [("shop-1-x7k2p", True), ("shop-1-admin-x7k2p", False), ("shop-1-x7k2p-debug", False), ("shop-1", False)],
)
async def test_only_the_start_of_a_pod_that_the_revision_made_proves_that_it_ran(
    pod: str, *, proved: bool
) -> None:
    started = event("Started", "Started container app", name=pod)

    step = await decide(broken(older=[[container("shop/api:1.1")]], events=[started]))

    assert image_of(step) == "shop/api:1.1"
    assert isinstance(step, ProposePatch)
    assert ("events show that its containers started" in step.candidate.basis) is proved


@pytest.mark.parametrize(
    ("pod", "why", "proposed"),
    [
        ("cart-1-x7k2p", "pull access denied", "shop/api:1.1"),
        ("cart-1-x7k2p", "not found", "shop/api:1.0"),
        ("shop-1-x7k2p", "pull access denied", "shop/api:1.0"),
    ],
    ids=["another's credentials say nothing", "its registry lacks it", "a pod of its own that is gone"],
)
async def test_why_another_workload_cannot_pull_an_image_may_be_its_own_matter(
    pod: str, why: str, proposed: str
) -> None:
    refused = event("Failed", f'Failed to pull image "shop/api:1.1": {why}', name=pod)
    older = [[container("shop/api:1.0")], [container("shop/api:1.1")]]

    step = await decide(broken(older=older, events=[refused]))

    assert image_of(step) == proposed
