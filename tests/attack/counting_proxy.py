"""A front before a cluster's API server that counts every request to change something, taken or refused."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.cluster.clusters import ClusterUnderTest, open_client
from tools.kubernetes.patch import APPROVAL_ANNOTATION

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PASSED_ON = ("authorization", "content-type", "accept", "user-agent")
_ASKING = "selfsubjectaccessreviews"


@dataclass(frozen=True)
class Write:
    """One request that asked the server to change something, and the code it got."""

    method: str
    path: str
    document: Any
    code: int

    @property
    def approval_id(self) -> str | None:
        """The approval that a patch carries on its object, if any."""
        found = json.dumps(self.document).partition(f'"{APPROVAL_ANNOTATION}": "')[2]
        return found.partition('"')[0] or None


@dataclass
class CountingProxy:
    """The API server as the service sees it.

    `alter` changes the bodies of patches, dry-runs included; `admit` those of real writes alone, as admission
    does: behind what is recorded here.
    """

    cluster: ClusterUnderTest
    reader_kubeconfig: Path
    writer_kubeconfig: Path
    writes: list[Write] = field(default_factory=list)
    alter: Callable[[bytes], bytes] = bytes
    admit: Callable[[bytes], bytes] = bytes

    @property
    def taken(self) -> list[Write]:
        """The requests that the server took."""
        return [write for write in self.writes if write.code < httpx.codes.BAD_REQUEST]


@asynccontextmanager
async def open_counting_proxy(cluster: ClusterUnderTest, folder: Path) -> AsyncIterator[CountingProxy]:
    """Stand before a cluster, with kubeconfigs of the same credentials that lead here."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    front = CountingProxy(
        cluster,
        _lead_here(cluster.reader_kubeconfig, url, folder / "front-reader.kubeconfig"),
        _lead_here(cluster.writer_kubeconfig, url, folder / "front-writer.kubeconfig"),
    )
    async with open_client(cluster.writer_kubeconfig, token="") as behind:
        app = Starlette(routes=[Route("/{path:path}", _passing(front, behind), methods=_METHODS)])
        async with _serving(app, listener):
            yield front


def _lead_here(kubeconfig: Path, url: str, copy: Path) -> Path:
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    for cluster in document["clusters"]:
        cluster["cluster"] = {"server": url}
    copy.write_text(yaml.safe_dump(document), encoding="utf-8")
    copy.chmod(0o600)
    return copy


def _passing(front: CountingProxy, behind: httpx.AsyncClient) -> Callable[[Request], Any]:
    async def pass_on(request: Request) -> Response:
        body = await request.body()
        if request.method == "PATCH":
            body = front.alter(body)
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        answer = await behind.request(
            request.method, request.url.path, params=str(request.query_params),
            content=body if _is_dry(request) or request.method != "PATCH" else front.admit(body),
            headers=headers,
        )  # fmt: skip
        if request.method != "GET" and _ASKING not in request.url.path and not _is_dry(request):
            document = json.loads(body) if body else None
            front.writes.append(Write(request.method, request.url.path, document, answer.status_code))
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    return pass_on


def _is_dry(request: Request) -> bool:
    return request.query_params.getlist("dryRun") == ["All"]


@asynccontextmanager
async def _serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    server.capture_signals = _leave_signals_alone  # type: ignore[method-assign]  # uvicorn has no option
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def _leave_signals_alone() -> Iterator[None]:
    yield
