"""A client that costs next to nothing itself: requests made beforehand, over connections kept open."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

_PAUSE_SECONDS = 0.05


def make_post(url: str, path: str, token: str, body: bytes) -> bytes:
    """Return a POST as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(url: str, requests: Sequence[bytes], at_once: int, per_second: float = 0) -> list[float]:
    """Send the requests over so many connections, and return how many seconds each answer took.

    `per_second` 0 sends as fast as the answers come. What was too much at once is sent again, and its time
    goes on; raises AssertionError for any other answer that isn't 2xx.
    """
    taken: list[float] = []
    waiting = iter(requests)
    began, sent = time.perf_counter(), 0

    async def work(waiting: Iterator[bytes]) -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        for request in waiting:
            sent += 1
            at = time.perf_counter()
            if per_second:  # from when it was due: who comes while the others wait, waits as well
                at = began + sent / per_second
                await asyncio.sleep(max(at - time.perf_counter(), 0))
            writer.write(request)
            while not await _is_taken(reader):
                await asyncio.sleep(_PAUSE_SECONDS)
                writer.write(request)
            taken.append(time.perf_counter() - at)
        writer.close()

    await asyncio.gather(*(work(waiting) for _ in range(at_once)))
    return taken


async def _is_taken(reader: asyncio.StreamReader) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    (length,) = (
        int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")
    )
    body = await reader.readexactly(length)
    code = head.split(" ")[1]
    assert code.startswith("2") or code == "503", f"{head}{body.decode()}"
    return code != "503"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which so great a share of them lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
