"""MCP messages over HTTP, of which no more is taken in than `Intake` allows.

The SDK reads and parses whatever a response brings. So a whole JSON body, or a whole event of a stream, is
held back here until it is known to be within the bounds.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from tools.http_client.bounded_response import AnswerTooLarge, refuse_packed
from tools.mcp.answer_bounds import MOST_BYTES, AnswerRefused, Intake, refuse_dense, too_long

if TYPE_CHECKING:
    import httpx

_EVENT_END = re.compile(rb"(?>\r\n|\r|\n){2}")
_LONGEST_END = 4


def bound_messages(intake: Intake) -> "Callable[[httpx.Response], Awaitable[None]]":
    """Return a client's hook for responses; a server that breaks a bound is given up at `intake`."""

    async def bound(response: "httpx.Response") -> None:
        response.encoding = "utf-8"  # another one would hide from what is counted here
        read = response.aiter_raw
        streamed = "text/event-stream" in response.headers.get("content-type", "").partition(";")[0].lower()

        async def read_within_bounds(_: int | None = None) -> AsyncIterator[bytes]:
            try:
                refuse_packed(response.headers)
                async for message in _split(read(), streamed=streamed):
                    intake.take(message)
                    refuse_dense(message)
                    yield message
            except (AnswerRefused, AnswerTooLarge) as refusal:
                intake.give_up(str(refusal))  # the SDK would keep it to itself
                raise

        response.aiter_raw = read_within_bounds  # type: ignore[assignment, method-assign]

    return bound


async def _split(chunks: AsyncIterator[bytes], *, streamed: bool) -> AsyncIterator[bytes]:
    """Yield each event of a stream, or all of a body at its end."""
    held = bytearray()
    async for chunk in chunks:
        unsearched = max(0, len(held) - _LONGEST_END)
        held += chunk
        while streamed and (end := _EVENT_END.search(held, unsearched)):
            yield bytes(held[: end.end()])
            del held[: end.end()]
            unsearched = 0
        if len(held) > MOST_BYTES:
            raise too_long()
    if held:
        yield bytes(held)
