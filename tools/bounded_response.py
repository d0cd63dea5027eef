"""Answers over HTTP of which no more is read than anybody needs: who answers doesn't choose how much."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

_MOST_BYTES = 2_000_000


class AnswerTooLarge(ValueError):
    """An answer has more bytes than are read, or could have after it is unpacked."""


class Response(Protocol):
    """As much of a response as is needed here: the OpenAI SDK brings a copy of httpx of its own."""

    aiter_raw: Callable[[], AsyncIterator[bytes]]

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""


async def bound_response(response: Response) -> None:
    """Be a client's hook for responses: one that is too large, or packed, fails when it is read."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise AnswerTooLarge("the answer is compressed, which wasn't asked for")
    read = response.aiter_raw

    async def read_within_bounds() -> AsyncIterator[bytes]:
        room = _MOST_BYTES
        async for chunk in read():
            room -= len(chunk)
            if room < 0:
                raise AnswerTooLarge(f"the answer has more than {_MOST_BYTES} bytes")
            yield chunk

    response.aiter_raw = read_within_bounds
