"""Registries for tests: Debian's docker-registry on loopback, and a server that answers what a test wants."""

import asyncio
import hashlib
import json
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.streams import serving_streams

COMMAND = shutil.which("docker-registry")
_CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_TYPE = "application/vnd.oci.image.manifest.v1+json"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def real_registry(folder: Path) -> AsyncIterator[str]:
    """Run a registry and yield its `host:port`; skip where it isn't installed."""
    if COMMAND is None:
        why = "docker-registry isn't installed (apt-get install docker-registry)"
        if os.environ.get("MENDGATE_TEST_REQUIRE_REGISTRY"):
            pytest.fail(why)
        pytest.skip(why)
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(folder=folder, port=port))
    process = await asyncio.create_subprocess_exec(
        COMMAND, "serve", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _answers(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def push(place: str, repository: str, *tags: str) -> str:
    """Push an empty image under some tags, and return its digest."""
    config = b"{}"
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    reference = {
        "mediaType": _CONFIG_TYPE,
        "digest": digest,
        "size": len(config),
    }
    manifest = json.dumps({"schemaVersion": 2, "mediaType": _TYPE, "config": reference, "layers": []})
    async with httpx.AsyncClient(base_url=f"http://{place}") as client:
        upload = await client.post(f"/v2/{repository}/blobs/uploads/")
        where = httpx.URL(upload.headers["location"]).copy_merge_params({"digest": digest})
        (await client.put(where, content=config)).raise_for_status()
        for tag in tags:
            put = await client.put(
                f"/v2/{repository}/manifests/{tag}", content=manifest, headers={"Content-Type": _TYPE}
            )
            put.raise_for_status()
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


async def _answers(url: str) -> None:
    async with httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.TransportError):
                await client.get(url)
                return
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]


Write = Callable[[bytes], Awaitable[None]]
Behaviour = Callable[[Asked, Write], Awaitable[None]]


@dataclass
class HostileServer:
    """A server that behaves as a test says, and remembers what it was asked."""

    behave: Behaviour
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext | None = None) -> AsyncIterator["HostileServer"]:
        """Listen on loopback; whatever is still being answered at the end is cut off."""
        async with serving_streams(self._serve, context) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split()
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        self.asked.append(Asked(method, path, headers))
        await self.behave(self.asked[-1], write)


def respond(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer."""
    lines = {"content-length": str(len(body)), "connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body
