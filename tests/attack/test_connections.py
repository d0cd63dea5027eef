"""What the service does to connections on which nothing whole arrives, over raw sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.config.settings import Settings
from api.http_server.connections import GuardedProtocol
from api.http_server.handshakes import Handshake
from api.http_server.limits import BodyLimit
from api.identity.tokens import TokenStore
from api.serving.server import serving
from tests.integration.mcp.test_http_reader import issue
from tools.sandbox import SandboxCluster

_WHOLE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_HALF = b"GET /healthz HTTP/1.1\r\nHost: 127.0"
_HALF_HELLO = b"\x16\x03\x01\x02\x00\x01"
_SECONDS = 60
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Line:
    """A running service, and connections to it."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._open: list[asyncio.StreamWriter] = []

    async def send(self, sent: bytes, trusting: ssl.SSLContext | None = None) -> Connection:
        """Open a connection, by TLS where a context is given, and send this much."""
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port, ssl=trusting)
        self._open.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader, writer

    async def close(self) -> None:
        for writer in self._open:
            writer.close()
        await asyncio.gather(*(one.wait_closed() for one in self._open), return_exceptions=True)


@asynccontextmanager
async def open_line(folder: Path, certificate: tuple[Path, Path] | None = None) -> AsyncIterator[Line]:
    """Serve, with TLS where there is a certificate and its key."""
    token = TokenStore(folder / "tokens.json").create("alice", "viewer")
    assert token
    tls: dict[str, Any] = {"tls_cert": certificate[0], "tls_key": certificate[1]} if certificate else {}
    async with SandboxCluster() as sandbox:
        reader, _ = sandbox.write_kubeconfigs(folder)
        settings = Settings(
            kubeconfig=reader, database_url=f"sqlite+aiosqlite:///{folder}/ledger.db", port=0,
            tokens=folder / "tokens.json", audit_key=folder / "audit.key", **tls,
        )  # fmt: skip
        async with serving(settings) as url:
            line = Line(url)
            try:
                yield line
            finally:
                await line.close()


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with open_line(tmp_path) as opened:
        yield opened


async def read_head(connection: Connection) -> bytes:
    return await asyncio.wait_for(connection[0].readuntil(b"\r\n\r\n"), _SECONDS)


async def read_to_the_end(connection: Connection) -> bytes:
    """Return all that comes until the service closes the connection."""
    try:
        return await asyncio.wait_for(connection[0].read(), _SECONDS)
    except ConnectionResetError:
        return b""


async def test_who_sends_half_a_head_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_seconds", 0.2)
    async with open_line(tmp_path) as line:
        silent, half = await line.send(b""), await line.send(_HALF)
        assert await read_to_the_end(silent) == b""
        assert await read_to_the_end(half) == b""

        second = await line.send(_WHOLE)  # half a head behind a whole one
        assert (await read_head(second)).startswith(b"HTTP/1.1 200")
        second[1].write(_HALF)
        await read_to_the_end(second)


async def test_an_answer_that_takes_longer_than_a_head_may_is_sent_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "head_seconds", 0.1)
    monkeypatch.setattr(BodyLimit, "body_seconds", 0.4)
    async with open_line(tmp_path) as line:
        slow = await line.send(
            b"POST /v1/freezes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10\r\n\r\n{"
        )
        head = await read_head(slow)

    assert head.startswith(b"HTTP/1.1 408")


async def test_half_sent_heads_give_way_to_whole_ones(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GuardedProtocol, "most_connections", 20)
    monkeypatch.setattr(GuardedProtocol, "head_seconds", 10 * _SECONDS)  # their time isn't what ends them
    stuck = [await line.send(_HALF) for _ in range(40)]

    answered = await read_head(await line.send(_WHOLE))
    gone = [await read_to_the_end(one) for one in stuck[:20]]

    assert answered.startswith(b"HTTP/1.1 200")
    assert gone == [b""] * 20


async def test_half_a_handshake_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handshake, "seconds", 0.2)
    async with open_line(tmp_path, issue(tmp_path)) as line:
        assert await read_to_the_end(await line.send(b"")) == b""
        assert await read_to_the_end(await line.send(_HALF_HELLO)) == b""


async def test_half_handshakes_give_way_to_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handshake, "most", 20)
    monkeypatch.setattr(Handshake, "seconds", 10 * _SECONDS)  # their time isn't what ends them
    certificate = issue(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate[0])
    trusting.check_hostname = False
    async with open_line(tmp_path, certificate) as line:
        stuck = [await line.send(_HALF_HELLO) for _ in range(40)]

        answered = [await read_head(await line.send(_WHOLE, trusting)) for _ in range(30)]
        gone = [await read_to_the_end(one) for one in stuck[:20]]

    assert all(one.startswith(b"HTTP/1.1 200") for one in answered)
    assert gone == [b""] * 20


async def test_half_handshakes_that_come_at_once_are_as_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handshake, "most", 20)
    monkeypatch.setattr(Handshake, "seconds", 10 * _SECONDS)
    async with open_line(tmp_path, issue(tmp_path)) as line:
        stuck = await asyncio.gather(*(line.send(_HALF_HELLO) for _ in range(100)))
        ends = asyncio.as_completed([read_to_the_end(one) for one in stuck])

        assert [await next(ends) for _ in range(80)] == [b""] * 80


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_request_that_says_twice_where_it_ends_is_refused_and_nothing_behind_it_is_read(
    line: Line, version: bytes
) -> None:
    smuggling = await line.send(
        b"POST /v1/webhooks/alertmanager HTTP/" + version + b"\r\nHost: 127.0.0.1\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _WHOLE
    )

    answers = await read_to_the_end(smuggling)

    assert answers.count(b"HTTP/1.1 ") == 1
    assert answers.startswith(b"HTTP/1.1 400")
    assert b"urn:mendgate:problem:two-lengths" in answers
