"""Webhooks to machines, signed as https://www.standardwebhooks.com says, so that libraries can verify them.

The signature is HMAC-SHA256, in base64, over `id.timestamp.body`; one for each secret, so that they can be
rotated. The id is the same at each attempt, the timestamp is that of the attempt.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self

import httpx

from tools.errors import BadInput, NotDelivered
from tools.http_client.loopback import leads_to_loopback

WEBHOOK_SECONDS = 15.0
_PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64


class SignedWebhook:
    """Posts JSON to one URL. Redirects aren't followed: whoever is there was never meant to read it."""

    def __init__(self, url: str, keys: Sequence[bytes], seconds: float = WEBHOOK_SECONDS) -> None:
        self._url = url
        self._keys = tuple(keys)
        self._seconds = seconds
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            timeout=seconds,
            trust_env=not leads_to_loopback(url),
            headers={"User-Agent": "mendgate", "Content-Type": "application/json"},
        )

    async def __aenter__(self) -> Self:
        """Return it; its connections are closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, message_id: str, body: bytes) -> None:
        """Post a message. Raises `NotDelivered` for anything but 2xx."""
        headers = sign(message_id, int(time.time()), body, self._keys)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                _require_success(answer)
        except TimeoutError:
            raise NotDelivered(f"no answer within {self._seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # without its text, and unchained: both may quote the URL
            raise NotDelivered(f"it can't be reached ({type(error).__name__})") from None


def sign(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the three headers; `timestamp` in Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def read_key(secret: str) -> bytes:
    """Return the key of a secret: `whsec_` and base64 of 24 to 64 bytes. Raises `BadInput`."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.strip().startswith(_PREFIX) or not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        raise BadInput(
            f"a secret is {_PREFIX} and base64 of {_FEWEST_BYTES} to {_MOST_BYTES} random bytes: "
            f'make one with `echo "{_PREFIX}$(openssl rand -base64 32)"`'
        )
    return key


def _require_success(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    code = answer.status_code
    if code == HTTPStatus.GONE:
        raise NotDelivered("it answers 410: nobody wants this any more", gone=True)
    hint = ", which isn't followed" if answer.is_redirect else ""
    raise NotDelivered(
        f"it answers {code}{hint}", retry_after=_retry_after(answer.headers.get("retry-after"))
    )


def _retry_after(value: str | None) -> float | None:
    """Return how many seconds the receiver wants to be left alone: it says so, or names an instant."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
