"""What each credential may do, asked of the server itself: the sandbox answers as a real API server does."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.cluster.clusters import ClusterUnderTest
from tools.errors import PermissionDenied, UnknownKind
from tools.kubernetes.access_review import Right, allowed, granted
from tools.kubernetes.client import Cluster
from tools.kubernetes.resource_types import find_kind

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
KIND = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
READS = (
    Right("get", "pods"),
    Right("get", "pods/log"),
    Right("list", "events", "default"),
    Right("list", "replicasets"),
    Right("get", "endpoints", "kube-system"),
    Right("watch", "deployments"),
)
PATCHES = (
    Right("patch", "deployments", "default"),
    Right("patch", "statefulsets", "default"),
    Right("patch", "daemonsets", "default"),
)
NOBODYS = (
    Right("patch", "deployments"),
    Right("patch", "deployments", "kube-system"),
    Right("update", "deployments", "default"),
    Right("delete", "deployments", "default"),
    Right("create", "pods", "default"),
    Right("create", "pods/exec", "default"),
    Right("get", "pods/exec", "default"),
    Right("get", "secrets", "default"),
    Right("list", "secrets"),
    Right("patch", "clusterroles"),
    Right("get", "widgets.v1.example.org"),
)


@pytest.fixture
async def reader(cluster: ClusterUnderTest) -> AsyncIterator[Cluster]:
    async with Cluster.from_kubeconfig(cluster.reader_kubeconfig) as opened:
        yield opened


@pytest.fixture
async def writer(cluster: ClusterUnderTest) -> AsyncIterator[Cluster]:
    async with Cluster.from_kubeconfig(cluster.writer_kubeconfig) as opened:
        yield opened


async def test_the_reader_may_read_and_nothing_else(reader: Cluster) -> None:
    held = await granted(reader, [*READS, *PATCHES, *NOBODYS])

    assert held == list(READS)


async def test_the_writer_may_patch_workloads_where_it_is_bound(writer: Cluster) -> None:
    held = await granted(writer, [*NOBODYS, *PATCHES, *READS])

    assert held == [*PATCHES, *READS]


async def test_an_answer_agrees_with_what_the_server_then_does(
    cluster: ClusterUnderTest, reader: Cluster
) -> None:
    may_list = await allowed(reader, Right("list", "pods", "default"))
    may_look = await allowed(reader, Right("list", "secrets", "default"))

    assert may_list
    assert isinstance(await reader.list("pods", "default"), list)
    assert not may_look
    with pytest.raises(PermissionDenied):
        await reader.list("secrets", "default")


async def test_asking_is_answered_with_the_question(cluster: ClusterUnderTest) -> None:
    attributes = {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "default"}
    review = {**KIND, "spec": {"resourceAttributes": attributes}}

    refused = await cluster.reader.post(REVIEWS, json=review)
    held = await cluster.writer.post(REVIEWS, json=review)

    assert (refused.status_code, held.status_code) == (201, 201)
    assert refused.json()["status"] == {"allowed": False}
    assert held.json()["status"]["allowed"] is True
    assert held.json()["spec"] == refused.json()["spec"] == review["spec"]


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ("nonsense", 400, "BadRequest"),
        ({"kind": "x"}, 400, "BadRequest"),
        ({**KIND, "spec": {}}, 422, "Invalid"),
    ],
)
async def test_a_review_that_asks_nothing_is_refused(
    cluster: ClusterUnderTest, body: Any, code: int, reason: str
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)

    answer = await cluster.reader.post(REVIEWS, content=content, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["reason"]) == (code, reason), answer.text


async def test_only_reviews_may_be_posted(cluster: ClusterUnderTest) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": cluster.unique("posted")}}

    answer = await cluster.reader.post(find_kind("pod").path("default"), json=pod)

    assert answer.status_code == 403


async def test_a_kind_that_nobody_knows_is_not_asked_about(reader: Cluster) -> None:
    with pytest.raises(UnknownKind):
        await allowed(reader, Right("get", "widgets"))
