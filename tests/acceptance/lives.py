"""Processes of the command `mendgate`: started as users do, or forked with all its modules loaded.

A forked one does the same with the same arguments, environment, folder and output. Only what others see of
its environment (`/proc/…/environ`) is its parent's.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from tests.forks import fork_context

COMMAND = str(Path(sys.executable).parent / "mendgate")


class Life(Protocol):
    """A process of the command; the members are those of asyncio's processes."""

    @property
    def pid(self) -> int:
        """Return its id."""

    @property
    def returncode(self) -> int | None:
        """Return its exit code, None while it lives."""

    def send_signal(self, signal: int) -> None:
        """Send it a signal."""

    async def wait(self) -> int:
        """Wait for its end, and return its exit code."""


class ForkedLife:
    """One that shares its modules with its parent."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Return its id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return its exit code, None while it lives."""
        return self._process.exitcode

    def send_signal(self, signal: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, signal)

    async def wait(self) -> int:
        """Wait for its end, and return its exit code."""
        await asyncio.to_thread(self._process.join)
        assert self._process.exitcode is not None
        return self._process.exitcode


@dataclass(frozen=True)
class Streams:
    """The files that a process reads and writes; what is there already is kept."""

    out: Path
    err: Path
    typed: Path = Path(os.devnull)


async def start_command(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Streams
) -> Life:
    """Start the installed command."""
    with streams.typed.open("rb") as typed, streams.out.open("ab") as out, streams.err.open("ab") as err:
        return await asyncio.create_subprocess_exec(
            COMMAND, *arguments, cwd=folder, env=environment, stdin=typed, stdout=out, stderr=err
        )


async def fork_command(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Streams
) -> Life:
    """Fork a process that does what the command does."""
    given = (tuple(arguments), folder, environment, streams)
    process = fork_context().Process(target=_run, args=given, daemon=True)
    process.start()
    return ForkedLife(process)


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Streams) -> None:
    from api.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for path, mode, number in ((streams.typed, "rb", 0), (streams.out, "ab", 1), (streams.err, "ab", 2)):
        with path.open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- as long as the process lives
    sys.argv = [COMMAND, *arguments]
    main()
