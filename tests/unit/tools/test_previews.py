"""What the API server warns about at the dry-run: refused where it ignores a part, else shown."""

import json
from typing import Any, cast

import httpx2
import pytest

from tests.unit.tools.recordings import recorded
from tools.errors import RequestRejected
from tools.executor import Executor
from tools.grants import Grants, Preview
from tools.kubernetes.client import Cluster
from tools.kubernetes.patch import PatchArguments
from tools.kubernetes.transport import ApiServer
from tools.mcp.session import ServerIdentity, ToolSession


class Session:
    """A tool server that is only asked who it is."""

    async def identity(self) -> ServerIdentity:
        return ServerIdentity("s", "1", {"kubectl_patch": "0" * 64})


def answering(patched: httpx2.Response, sent: list[httpx2.Request]) -> Executor:
    live = recorded("deployment-available")["response"]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200, json=live)
        sent.append(request)
        return patched

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="https://k8s.example")
    cluster = Cluster(ApiServer(client, context="prod"))
    return Executor(cluster, cast("ToolSession", Session()), cast("Grants", None), lambda _: None)


def scale(spec: dict[str, Any]) -> PatchArguments:
    return PatchArguments(
        resource_type="deployment", name="web", namespace="recorded", patch_data={"spec": spec}
    )


async def preview(patched: httpx2.Response, spec: dict[str, Any]) -> tuple[Preview, httpx2.Request]:
    sent: list[httpx2.Request] = []
    result = await answering(patched, sent).preview(scale(spec), "apr-0000000000000001")
    return result, sent[0]


def scaled(warning: str) -> httpx2.Response:
    document = json.loads(json.dumps(recorded("deployment-available")["response"]))
    document["spec"]["replicas"] = 3
    return httpx2.Response(200, json=document, headers={"Warning": warning} if warning else {})


async def test_a_preview_asks_for_strict_validation_and_carries_the_warnings() -> None:
    result, request = await preview(scaled('299 - "spec.x: deprecated since v1.30"'), {"replicas": 3})

    assert request.url.params["fieldValidation"] == "Strict"
    assert request.url.params["dryRun"] == "All"
    assert result.warnings == ("spec.x: deprecated since v1.30",)


async def test_a_dry_run_that_warned_of_an_unknown_field_is_refused() -> None:
    exchange = recorded("unknown-field-warned")
    answer = httpx2.Response(
        200, json=exchange["response"], headers={"Warning": exchange["headers"]["Warning"]}
    )

    with pytest.raises(RequestRejected, match=r'ignore a part of it \(unknown field "spec\.replicaz"\)'):
        await preview(answer, {"replicaz": 3})


async def test_a_doubled_field_is_refused_even_where_the_rest_takes_effect() -> None:
    with pytest.raises(RequestRejected, match="duplicate field"):
        await preview(scaled('299 - "duplicate field \\"spec.replicas\\""'), {"replicas": 3})


async def test_the_refusal_of_a_current_server_is_passed_on() -> None:
    exchange = recorded("unknown-field-refused")

    with pytest.raises(RequestRejected, match=r'strict decoding error: unknown field "spec\.replicaz"'):
        await preview(httpx2.Response(exchange["status"], json=exchange["response"]), {"replicaz": 3})
