"""The API server's refusals, silences and nonsense, each as the error that tells what to do."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tools.errors import (
    BadInput,
    ClusterError,
    ClusterUnreachable,
    ObjectNotFound,
    PermissionDenied,
    RequestRejected,
    WriteConflict,
)
from tools.kubernetes import transport
from tools.kubernetes.client import Cluster
from tools.kubernetes.transport import ApiServer

CLUSTER = "{name: c, cluster: {server: http://x}}"
Handler = Callable[[httpx2.Request], httpx2.Response]


def cluster(handler: Handler) -> Cluster:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler), base_url="https://k8s.example")
    return Cluster(ApiServer(client, context="prod"))


def status(code: int, reason: str, message: str = "no") -> httpx2.Response:
    return httpx2.Response(code, json={"kind": "Status", "code": code, "reason": reason, "message": message})


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (400, "BadRequest", RequestRejected),
        (401, "Unauthorized", PermissionDenied),
        (403, "Forbidden", PermissionDenied),
        (404, "NotFound", ObjectNotFound),
        (409, "Conflict", WriteConflict),
        (410, "Expired", RequestRejected),
        (415, "UnsupportedMediaType", RequestRejected),
        (422, "Invalid", RequestRejected),
        (429, "TooManyRequests", ClusterUnreachable),
        (500, "InternalError", ClusterUnreachable),
        (503, "ServiceUnavailable", ClusterUnreachable),
        (504, "Timeout", ClusterUnreachable),
    ],
)
async def test_each_status_is_its_error(code: int, reason: str, error: type[ClusterError]) -> None:
    async with cluster(lambda _: status(code, reason)) as there:
        with pytest.raises(error) as caught:
            await there.get("pod", "x", "default")

    assert type(caught.value) is error
    assert (caught.value.code, caught.value.reason) == (code, reason)


async def test_no_answer_is_unreachable_and_names_server_and_context() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused", request=request)

    async with cluster(refuse) as there:
        with pytest.raises(
            ClusterUnreachable, match=r"https://k8s\.example \(context 'prod'\).*refused"
        ) as caught:
            await there.get("pod", "x", "default")

    assert caught.value.code is None


@pytest.mark.parametrize("body", [b"<html>log in first</html>", b"[]", b""])
async def test_an_answer_that_is_not_an_object_is_no_answer(body: bytes) -> None:
    async with cluster(lambda _: httpx2.Response(200, content=body)) as there:
        with pytest.raises(ClusterUnreachable, match="isn't a JSON object"):
            await there.get("pod", "x", "default")


async def test_no_more_of_an_answer_is_read_than_a_list_can_have() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1_000_000
            yield b"x" * 1_000_000

    async with cluster(lambda _: httpx2.Response(200, content=endless())) as there:
        with pytest.raises(ClusterUnreachable, match="more than 100000000 bytes: ask for less"):
            await there.get("pod", "x", "default")

    assert sent <= 102_000_000


async def test_an_answer_that_comes_packed_though_nobody_asked_is_not_unpacked() -> None:
    packed = httpx2.Response(200, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})

    async with cluster(lambda _: packed) as there:
        with pytest.raises(ClusterUnreachable, match="compressed"):
            await there.get("pod", "x", "default")


async def test_a_long_answer_is_parsed_while_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    parsing, seen = threading.Event(), threading.Event()
    read = transport._read_json

    def wait_for_another(response: httpx2.Response) -> Any:
        parsing.set()
        assert seen.wait(60), "nobody else was answered meanwhile"
        return read(response)

    monkeypatch.setattr(transport, "_read_json", wait_for_another)
    document = {"metadata": {"name": "x"}, "data": {"long": "y" * 200_000}}
    async with cluster(lambda _: httpx2.Response(200, json=document)) as there:
        answer = asyncio.create_task(there.get("configmap", "x", "default"))
        await asyncio.to_thread(parsing.wait, 60)
        seen.set()  # the loop is free to come here

        assert (await answer)["data"] == document["data"]


async def test_a_proxys_page_is_cut_and_kept_as_the_message() -> None:
    async with cluster(lambda _: httpx2.Response(502, content=b"x" * 10_000)) as there:
        with pytest.raises(ClusterUnreachable) as caught:
            await there.get("pod", "x", "default")

    assert len(str(caught.value)) <= 500


async def test_a_list_is_read_page_by_page_and_its_items_say_what_they_are() -> None:
    def pages(request: httpx2.Request) -> httpx2.Response:
        second = request.url.params.get("continue") == "next"
        assert request.url.params["labelSelector"] == "app=web"
        return httpx2.Response(
            200,
            json={
                "apiVersion": "v1",
                "kind": "PodList",
                "metadata": {} if second else {"continue": "next"},
                "items": [{"metadata": {"name": "b" if second else "a"}}],
            },
        )

    async with cluster(pages) as there:
        found = await there.list("pods", "default", label_selector="app=web")

    assert [(item["kind"], item["apiVersion"], item["metadata"]["name"]) for item in found] == [
        ("Pod", "v1", "a"),
        ("Pod", "v1", "b"),
    ]


@pytest.mark.parametrize(
    ("dry_run", "query"),
    [
        (True, {"fieldManager": "mendgate", "fieldValidation": "Strict", "dryRun": "All"}),
        (False, {"fieldManager": "mendgate", "fieldValidation": "Strict"}),
    ],
)
async def test_only_a_dry_run_says_so_and_every_patch_has_its_fields_checked(
    dry_run: bool, query: dict[str, str]
) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={})

    async with cluster(answer) as there:
        await there.patch("deploy", "web", "shop", "strategic", {"spec": {"a": "ü"}}, dry_run=dry_run)

    assert dict(seen[0].url.params) == query
    assert seen[0].headers["content-type"] == "application/strategic-merge-patch+json"
    assert json.loads(seen[0].content) == {"spec": {"a": "ü"}}


async def test_logs_lose_their_nul_bytes_and_survive_broken_text() -> None:
    async with cluster(lambda _: httpx2.Response(200, content=b"a\0b\xff\n")) as there:
        assert await there.logs("web-1", "default") == "ab\ufffd\n"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not: [closed",
        "clusters: []\ncontexts: []\ncurrent-context: gone\n",
        "clusters: []\ncontexts: [{name: a, context: {cluster: gone}}]\ncurrent-context: a\n",
        f"clusters: [{CLUSTER}]\ncontexts: [{{name: a, context: {{cluster: c}}}}]\ncurrent-context: a\n",
    ],
)
def test_a_kubeconfig_that_can_not_be_used_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)

    with pytest.raises(BadInput, match=str(path)):
        Cluster.from_kubeconfig(path)


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not found"):
        Cluster.from_kubeconfig(tmp_path / "gone")


def test_without_a_kubeconfig_a_pod_is_needed() -> None:
    with pytest.raises(BadInput, match="give a kubeconfig"):
        Cluster.from_kubeconfig(None)
