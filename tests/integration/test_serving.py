"""How the service answers on the wire."""

import asyncio
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from api.config.settings import Settings
from api.identity.tokens import TokenStore
from api.serving.server import serving
from tools.sandbox import SandboxCluster

_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def test_small_answers_are_sent_at_once_on_a_connection_that_is_kept_open(tmp_path: Path) -> None:
    TokenStore(tmp_path / "tokens.json").create("alice", "viewer")
    async with SandboxCluster() as sandbox:
        reader_kubeconfig, _ = sandbox.write_kubeconfigs(tmp_path)
        settings = Settings(
            kubeconfig=reader_kubeconfig, database_url=f"sqlite+aiosqlite:///{tmp_path}/ledger.db", port=0,
            tokens=tmp_path / "tokens.json", audit_key=tmp_path / "audit.key",
        )  # fmt: skip
        async with serving(settings) as url:
            reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
            writer.write(_HEALTH)
            head = await reader.readuntil(b"\r\n\r\n")
            with _other_end_of(writer.get_extra_info("sockname")) as served:
                waits_for_more = not served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()

    assert head.startswith(b"HTTP/1.1 200")
    assert not waits_for_more


def _other_end_of(name: tuple[str, int]) -> socket.socket:
    """Return this process's socket that is connected to the one of this name: asyncio shows no server's."""
    for number in range(3, os.sysconf("SC_OPEN_MAX")):
        try:
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        try:
            if one.getpeername() == name:
                return one
        except OSError:
            pass  # it listens
        one.close()
    raise AssertionError("nobody is connected")
