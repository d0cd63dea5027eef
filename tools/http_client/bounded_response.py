"""Answers over HTTP of which no more is read than anybody needs: who answers doesn't choose how much."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol


class AnswerTooLarge(ValueError):
    """An answer has more bytes than are read, or could have after it is unpacked."""


class Response(Protocol):
    """As much of a response as is needed here: the OpenAI SDK brings a copy of httpx of its own."""

    aiter_raw: Callable[[], AsyncIterator[bytes]]

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""


def bound_responses(most_bytes: int) -> Callable[[Response], Awaitable[None]]:
    """Return a client's hook for responses: one that is too large, or packed, fails when it is read."""

    async def bound(response: Response) -> None:
        _bound(response, most_bytes)

    return bound


def refuse_packed(headers: Mapping[str, str]) -> None:
    """Raise AnswerTooLarge for an answer that would grow when it is unpacked."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise AnswerTooLarge("the answer is compressed, which wasn't asked for")


def _bound(response: Response, most_bytes: int) -> None:
    refuse_packed(response.headers)
    read = response.aiter_raw

    async def read_within_bounds() -> AsyncIterator[bytes]:
        room = most_bytes
        async for chunk in read():
            room -= len(chunk)
            if room < 0:
                raise AnswerTooLarge(f"the answer has more than {most_bytes} bytes")
            yield chunk

    response.aiter_raw = read_within_bounds
