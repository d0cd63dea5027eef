"""LangGraph's own server, as `langgraph dev` starts it, for the graph that a configuration names."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

_START_SECONDS, _POLL_SECONDS = 90.0, 0.2
_LONGEST_SECONDS = 600


@asynccontextmanager
async def open_dev_server(folder: Path, config: Path, **environment: str) -> AsyncIterator[httpx.AsyncClient]:
    """Start the server with its files in `folder`, yield a client of its API, and stop it at the end."""
    port = _free_port()
    process = await _start(folder, config, port, environment)
    try:
        # the dev server ignores proxies' settings, and so must its client on loopback
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=_LONGEST_SECONDS, trust_env=False
        ) as client:
            await _until_ready(client, process, folder)
            yield client
    finally:
        await _stop(process)


async def fail_to_start(folder: Path, config: Path, **environment: str) -> str:
    """Start a server that must refuse to, and return what it said."""
    process = await _start(folder, config, _free_port(), environment)
    try:
        assert await asyncio.wait_for(process.wait(), _START_SECONDS) != 0
    finally:
        await _stop(process)
    return log_of(folder)


def log_of(folder: Path) -> str:
    """Return what the server in the folder has logged."""
    return (folder / "dev.log").read_text()


async def _start(
    folder: Path, config: Path, port: int, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    with (folder / "dev.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "langgraph",
            "dev", "--no-browser", "--no-reload", "--port", str(port), "--config", str(config),
            "--server-log-level", "WARNING",
            cwd=folder, stdout=log, stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.environ["PATH"], "HOME": str(folder), "LANGGRAPH_NO_VERSION_CHECK": "true",
                "NO_COLOR": "1", "LANGSMITH_TRACING": "false", **environment,
            },
        )  # fmt: skip


async def _until_ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process, folder: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while True:
        assert process.returncode is None, log_of(folder)
        assert asyncio.get_running_loop().time() < deadline, log_of(folder)
        try:
            if (await client.get("/ok")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(_POLL_SECONDS)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
