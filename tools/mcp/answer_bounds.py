"""How much of what an MCP server sends is taken in: who answers chooses neither how much nor how dense.

Bounds count work, not seconds. A server that breaks one is given up, and the calls that wait for it hear why.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MOST_BYTES = 16_000_000  # what a foreign server's longest readable text can take, each character as an escape
MOST_VALUES = 50_000  # checking so many against the protocol's types takes half a second at worst
_LEAST_COST = 2_000  # bytes; a message is work, however short it is


class AnswerRefused(Exception):
    """A server sent what isn't taken in: what it was, and what to do."""


class Intake:
    """What one connection takes in, for each call in flight, and why it was given up."""

    def __init__(self) -> None:
        self._calls = 0
        self._room = MOST_BYTES
        self.fault: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why the server is given up, as soon as it is."""

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Make room for the answer of one more call."""
        self._calls += 1
        self._room = self._calls * MOST_BYTES
        try:
            yield
        finally:
            self._calls -= 1

    def take(self, part: bytes, messages: int = 1) -> None:
        """Count what came, so many messages or lines. Raises AnswerRefused where it is too much."""
        self._room -= len(part) + messages * _LEAST_COST
        if self._room < 0:
            raise AnswerRefused(
                f"it sent more than {MOST_BYTES} bytes for one call (a short line counts as {_LEAST_COST}):"
                " ask for less, or have it print less"
            )

    def give_up(self, why: str) -> None:
        """Let the connection end, and its calls hear why."""
        if not self.fault.done():
            self.fault.set_result(why)


def too_long() -> AnswerRefused:
    """Return what to raise for a message that goes on beyond MOST_BYTES."""
    return AnswerRefused(f"it sent a message of more than {MOST_BYTES} bytes: ask for less")


def refuse_dense(message: bytes) -> None:
    """Raise AnswerRefused where JSON holds more than MOST_VALUES values, without parsing it."""
    if _count_values(message) <= MOST_VALUES:
        return
    bare = message.replace(b"\\\\", b"").replace(b'\\"', b"")
    lines = bare.count(b"\n") + bare.count(b"\r")
    if max(bare.count(b'"') // 4, lines) <= MOST_VALUES:
        # no string goes on over the end of its line: what an event stream has there isn't JSON
        outside = b"".join(part for line in bare.splitlines() for part in line.split(b'"')[::2])
        if _count_values(outside) <= MOST_VALUES:
            return
    raise AnswerRefused(f"it sent a message of more than {MOST_VALUES} values: ask for less")


def _count_values(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
