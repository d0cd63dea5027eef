"""The client against the sandbox and a real API server: reading, the three patches, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.cluster.clusters import ClusterUnderTest
from tests.integration.cluster.workloads import deployment
from tools.errors import ObjectNotFound, PermissionDenied, RequestRejected, WriteConflict
from tools.kubernetes.client import Cluster
from tools.kubernetes.patch import PatchType

NEW_IMAGE = "nginx:1.26"


@pytest.fixture
async def reader(cluster: ClusterUnderTest) -> AsyncIterator[Cluster]:
    async with Cluster.from_kubeconfig(cluster.reader_kubeconfig) as client:
        yield client


@pytest.fixture
async def writer(cluster: ClusterUnderTest) -> AsyncIterator[Cluster]:
    async with Cluster.from_kubeconfig(cluster.writer_kubeconfig) as client:
        yield client


@pytest.fixture
async def web(cluster: ClusterUnderTest) -> str:
    name = cluster.unique("web")
    await cluster.apply(deployment(name))
    return name


def image_of(found: dict[str, Any]) -> str:
    image: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def test_an_object_and_its_list_are_the_same_object(reader: Cluster, web: str) -> None:
    alone = await reader.get("deployment", web, "default")
    (listed,) = await reader.list("deploy", "default", label_selector=f"app={web}")
    (anywhere,) = await reader.list("deploy", None, field_selector=f"metadata.name={web}")

    assert (listed["apiVersion"], listed["kind"]) == ("apps/v1", "Deployment")
    assert {alone["metadata"]["uid"]} == {listed["metadata"]["uid"], anywhere["metadata"]["uid"]}


async def test_the_server_tells_its_version(reader: Cluster) -> None:
    assert (await reader.version())["gitVersion"].startswith("v1.")


PATCHES: list[tuple[PatchType, Any]] = [
    ("strategic", {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": NEW_IMAGE}]}}}}),
    ("merge", {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": NEW_IMAGE}]}}}}),
    ("json", [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": NEW_IMAGE}]),
]


@pytest.mark.parametrize(("patch_type", "body"), PATCHES)
async def test_a_dry_run_shows_the_change_and_makes_none(
    writer: Cluster, web: str, patch_type: PatchType, body: Any
) -> None:
    would_be = await writer.patch("deploy", web, "default", patch_type, body, dry_run=True)

    assert image_of(would_be.document) == NEW_IMAGE
    assert image_of(await writer.get("deploy", web, "default")) == "nginx:1.25"


@pytest.mark.parametrize(("patch_type", "body"), PATCHES)
async def test_a_patch_changes_the_object(
    writer: Cluster, web: str, patch_type: PatchType, body: Any
) -> None:
    await writer.patch("deploy", web, "default", patch_type, body, dry_run=False)

    assert image_of(await writer.get("deploy", web, "default")) == NEW_IMAGE


async def test_a_patch_made_for_another_version_is_refused(writer: Cluster, web: str) -> None:
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}

    with pytest.raises(WriteConflict) as caught:
        await writer.patch("deploy", web, "default", "merge", stale, dry_run=False)

    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert (await writer.get("deploy", web, "default"))["spec"]["replicas"] == 1


async def test_a_patch_that_makes_no_sense_is_rejected(writer: Cluster, web: str) -> None:
    with pytest.raises(RequestRejected):
        await writer.patch("deploy", web, "default", "merge", {"spec": {"replicas": "many"}}, dry_run=False)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_the_readers_credential_can_not_write(reader: Cluster, web: str, dry_run: bool) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await reader.patch("deploy", web, "default", "merge", {"spec": {"replicas": 2}}, dry_run=dry_run)

    assert caught.value.code == 403


async def test_neither_credential_can_read_secrets(reader: Cluster, writer: Cluster) -> None:
    for client in (reader, writer):
        with pytest.raises(PermissionDenied):
            await client.list("secrets", "default")


async def test_what_is_not_there_is_not_found(reader: Cluster) -> None:
    with pytest.raises(ObjectNotFound, match='"nobody" not found'):
        await reader.get("pod", "nobody", "default")
