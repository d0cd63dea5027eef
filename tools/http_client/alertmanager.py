"""Alertmanager's API v2, asked for what fires now. It is only read, and its answers are bounded.

It lists silenced and inhibited alerts too; a resolved alert isn't listed any more.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

import httpx
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from tools.errors import BadInput, MendgateError

ANSWER_SECONDS = 10.0
_MOST_BYTES = 16 * 1024 * 1024  # some 10,000 alerts
_MEND = MappingProxyType(
    {
        401: "give its credential by MENDGATE_ALERTMANAGER_SECRET",
        403: "this credential may not read its alerts",
        404: "the URL must be that of the whole Alertmanager, with its route prefix, without /api/v2",
    }
)
_T = TypeVar("_T")


class AlertmanagerUnusable(MendgateError):
    """Alertmanager can't be asked, or its answer can't be used; the message says why and what to do."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True)


class _Named(_Answer):
    name: str


class _State(_Answer):
    state: Literal["unprocessed", "active", "suppressed"]


class ListedAlert(_Answer):
    """One alert that fires. `suppressed` ones are silenced or inhibited; instants have milliseconds."""

    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: AwareDatetime
    generator_url: Annotated[str, Field(alias="generatorURL")] = ""
    receivers: tuple[_Named, ...] = ()
    status: _State

    def is_for(self, receiver: str | None) -> bool:
        """Whether the receiver of this name gets the alert; without a name any alert counts."""
        return receiver is None or any(one.name == receiver for one in self.receivers)


class _Version(_Answer):
    version: str


class Status(_Answer):
    """Since when this Alertmanager runs (it calls that instant its uptime), and which version."""

    uptime: AwareDatetime
    version_info: _Version


_ALERTS = TypeAdapter(tuple[ListedAlert, ...])
_RECEIVERS = TypeAdapter(tuple[_Named, ...])
_STATUS = TypeAdapter(Status)


class Credential(BaseModel):
    """How to sign in: a bearer token, or, with a `user`, their password. A file is read anew each time."""

    model_config = ConfigDict(frozen=True)

    user: str | None = None
    secret: SecretStr | None = None
    secret_file: Path | None = None

    def header(self) -> dict[str, str]:
        """Return the header that signs in, none without a secret. Raises `BadInput` for an unusable file."""
        secret = self._read()
        if not secret:
            return {}
        if self.user is None and not secret.isascii():
            raise BadInput("MENDGATE_ALERTMANAGER_SECRET: a bearer token has only ASCII characters")
        if self.user is None:
            return {"Authorization": f"Bearer {secret}"}
        return {"Authorization": f"Basic {b64encode(f'{self.user}:{secret}'.encode()).decode()}"}

    def _read(self) -> str:
        if self.secret_file is None:
            return self.secret.get_secret_value().strip() if self.secret else ""
        try:
            return self.secret_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it isn't text"
            raise BadInput(
                f"MENDGATE_ALERTMANAGER_SECRET_FILE: {self.secret_file} can't be read: {reason}"
            ) from error


class Alertmanager:
    """One Alertmanager. A redirect isn't followed: the credential would go along."""

    def __init__(self, url: str, client: httpx.AsyncClient, credential: Credential) -> None:
        self.url = url.rstrip("/")
        self._client = client
        self._credential = credential

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, urls: Sequence[str], credential: Credential, ca: Path | None = None
    ) -> AsyncIterator[Sequence["Alertmanager"]]:
        """Open the way to several that share a credential and a CA; nothing is asked yet.

        Raises `BadInput` where the CA's file can't be used.
        """
        headers = {"Accept": "application/json"}
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, headers=headers, verify=_trust(ca)) as client:
            yield [cls(url, client, credential) for url in urls]

    async def alerts(self) -> Sequence[ListedAlert]:
        """Return what fires, for any receiver. Raises `AlertmanagerUnusable`."""
        return await self._get("alerts", _ALERTS.validate_json)

    async def receivers(self) -> Sequence[str]:
        """Return the names of all receivers. Raises `AlertmanagerUnusable`."""
        return [one.name for one in await self._get("receivers", _RECEIVERS.validate_json)]

    async def status(self) -> Status:
        """Return how long it has been running, and its version. Raises `AlertmanagerUnusable`."""
        return await self._get("status", _STATUS.validate_json)

    async def _get(self, name: str, parse: Callable[[bytes], _T]) -> _T:
        address = f"{self.url}/api/v2/{name}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return parse(await self._read(address))
        except ValidationError as error:
            where = "/".join(str(step) for step in error.errors()[0]["loc"])
            raise AlertmanagerUnusable(
                f"{address} answers nothing of Alertmanager's API ({where})"
            ) from error
        except TimeoutError as error:
            raise AlertmanagerUnusable(f"{address}: no answer within {ANSWER_SECONDS:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, BadInput) as error:
            raise AlertmanagerUnusable(f"{address}: {error or type(error).__name__}") from error

    async def _read(self, address: str) -> bytes:
        content = bytearray()
        async with self._client.stream("GET", address, headers=self._credential.header()) as answer:
            if answer.status_code != httpx.codes.OK:
                raise AlertmanagerUnusable(_describe(address, answer))
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise AlertmanagerUnusable(f"{address} answers with more than {_MOST_BYTES} bytes")
        return bytes(content)


def _describe(address: str, answer: httpx.Response) -> str:
    if answer.is_redirect:
        leads_to = answer.headers.get("location", "nowhere")[:200]
        return f"{address} redirects to {leads_to}, which isn't followed: set the URL that it leads to"
    mend = _MEND.get(answer.status_code, "its own log says more")
    return f"{address} answers {answer.status_code}: {mend}"


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(f"MENDGATE_ALERTMANAGER_CA: {ca} is no file of certificates ({error})") from error
