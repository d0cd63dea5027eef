"""MCP servers that are killed in the middle of a call: read again, and never written twice."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tests.faults.faulty_service import Fault, FaultyService, is_patch, is_read, open_faulty_service


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[FaultyService]:
    async with open_faulty_service(tmp_path) as ward:
        yield ward


def kill_server(role: str, folder: Path) -> None:
    """Kill the MCP server process that works for this test."""
    (pid,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and _is_server(entry, role, folder)
    ]
    os.kill(pid, signal.SIGKILL)


def _is_server(process: Path, role: str, folder: Path) -> bool:
    try:
        command = (process / "cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "tools.mcp.server" in command and role in command and any(str(folder) in part for part in command)


def killing(role: str, folder: Path) -> Fault:
    """Return the fault that the server dies while its request is on its way; the request gets in or not."""

    async def kill(scope: Scope, receive: Receive, send: Send) -> bool:
        kill_server(role, folder)
        while (await receive())["type"] != "http.disconnect":
            pass
        return True

    return kill


async def test_a_reader_killed_during_a_call_is_started_anew_and_asked_again(
    ward: FaultyService, tmp_path: Path
) -> None:
    ward.sky.cloud(is_read, killing("reader", tmp_path), 1)
    await ward.begin()
    await ward.approve()
    await ward.reach("resolved")

    assert ward.sky.met == 1
    assert len(ward.sandbox.writes) == 1


async def test_a_writer_killed_before_its_patch_was_taken_is_started_anew_and_sends_it_once(
    ward: FaultyService, tmp_path: Path
) -> None:
    ward.sky.cloud(is_patch, killing("writer", tmp_path), 1)
    await ward.begin()
    await ward.approve()
    await ward.reach("resolved")

    assert ward.sky.met == 1
    assert len(ward.sandbox.writes) == 1


async def test_a_writer_killed_after_its_patch_was_taken_does_not_send_it_again(
    ward: FaultyService, tmp_path: Path
) -> None:
    async def kill(scope: Scope, receive: Receive, send: Send) -> bool:
        kill_server("writer", tmp_path)
        return False  # the server takes what has arrived

    arrived: list[Request] = []

    def meets(request: Request) -> bool:
        if is_patch(request):
            arrived.append(request)
        return is_patch(request)

    ward.sky.cloud(meets, kill, 1)
    await ward.begin()
    await ward.approve()
    await ward.reach("resolved")

    assert ward.sky.met == 1
    assert len(arrived) == len(ward.sandbox.writes) == 1
