"""A receiver of OTLP over HTTP for tests: it keeps the spans that it was sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Receiver:
    """What was received so far, as objects and as the bytes that came."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.resources: set[tuple[str, str]] = set()
        self.raw = b""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.raw += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources |= {(one.key, one.value.string_value) for one in group.resource.attributes}
            for scope in group.scope_spans:
                self.spans += scope.spans
        answer = ExportTraceServiceResponse().SerializeToString()
        return Response(answer, media_type="application/x-protobuf")


def attributes(span: Span) -> dict[str, str]:
    """Return a span's attributes that are texts."""
    return {one.key: one.value.string_value for one in span.attributes if one.value.string_value}


@asynccontextmanager
async def run_receiver() -> AsyncIterator[Receiver]:
    """Listen on a free port while the block runs."""
    import uvicorn

    receiver = Receiver()
    app = Starlette(routes=[Route("/v1/traces", receiver.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the receiver didn't start"
        await asyncio.sleep(0.01)
    receiver.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.should_exit = True
        await task
