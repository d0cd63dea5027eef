"""The OIDC issuer's public keys: discovered, kept for a while, asked for again when one seems to be missing.

OpenID Connect Discovery 1.0 says where they are, RFC 7517 what they look like. Keys named in a token's own
header (`jku`, `jwk`, `x5u`, `x5c`) are never used: whoever forges a token writes its header too.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from jwt import PyJWK, PyJWTError
from pydantic import BaseModel, ConfigDict, ValidationError

from api.identity.caller import IssuerUnavailable
from tools.http_client.loopback import is_loopback

log = logging.getLogger(__name__)
FRESH_SECONDS = 300.0  # a key that the issuer has withdrawn counts no longer than this
KEPT_SECONDS = 86400.0  # in an outage; the tokens themselves expire sooner
ASK_AGAIN_SECONDS = 10.0  # forged tokens must not turn into a flood of requests to the issuer
ANSWER_SECONDS = 5.0
_MOST_BYTES = 512 * 1024
# By kty and crv. HMAC has no row: a public key must never serve as its secret.
_ALGORITHMS = {
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
ALGORITHMS = frozenset[str]().union(*_ALGORITHMS.values())


@dataclass(frozen=True)
class SigningKey:
    """A public key and the signature algorithms that it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    public: Any  # one of four classes of `cryptography`, which only PyJWT looks into


class _Discovery(BaseModel):
    model_config = ConfigDict(frozen=True)

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""


@dataclass(frozen=True)
class Endpoints:
    """Where the issuer signs people in, and where it gives tokens for codes."""

    authorization: str
    token: str


class _KeySet(BaseModel):
    model_config = ConfigDict(frozen=True)

    keys: tuple[Any, ...]


class _Jwk(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    kty: str
    crv: str | None = None
    kid: str | None = None
    alg: str | None = None
    use: str | None = None
    key_ops: tuple[str, ...] = ("verify",)


class _BadAnswer(ValueError):
    """The issuer answered with something that can't be used."""


class IssuerKeys:
    """Keeps one issuer's keys. Whoever needs them at the same time shares one request."""

    def __init__(
        self, issuer: str, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._asking = asyncio.Lock()
        self._keys: tuple[SigningKey, ...] = ()
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._failure: Exception | None = None

    async def current(self) -> tuple[SigningKey, ...]:
        """Return the keys, those of before in an outage. Raises `IssuerUnavailable` where there are none."""
        if self._age() > FRESH_SECONDS:
            await self._ask()
        if self._age() > KEPT_SECONDS:
            raise self._unavailable() from self._failure
        return self._keys

    async def renewed(self) -> tuple[SigningKey, ...]:
        """Return the keys as the issuer has shown them just now.

        Raises `IssuerUnavailable` where it can't be asked: a key that isn't known may be a new one.
        """
        await self._ask()
        if self._failure is not None:
            raise self._unavailable() from self._failure
        return self._keys

    async def endpoints(self) -> Endpoints:
        """Ask where people sign in. Raises `IssuerUnavailable`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._discover()
            for address in (found.authorization_endpoint, found.token_endpoint):
                self._require_trusted(address, "it signs people in at")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            log.warning("the OIDC issuer %s signs nobody in: %s", self._issuer, _describe(error))
            raise IssuerUnavailable(
                f"the OIDC issuer {self._issuer} can't sign anybody in now: try again in a few seconds; the "
                "service's log says why"
            ) from error
        return Endpoints(found.authorization_endpoint, found.token_endpoint)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _ask(self) -> None:
        async with self._asking:
            if self._clock() - self._asked_at < ASK_AGAIN_SECONDS:
                return
            try:
                self._keys = await self._fetch()
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
                self._failure = error
                log.warning("the OIDC issuer %s has no usable keys: %s", self._issuer, _describe(error))
            else:
                self._failure, self._fetched_at = None, self._clock()
            self._asked_at = self._clock()

    async def _fetch(self) -> tuple[SigningKey, ...]:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await self._discover()
            self._require_trusted(found.jwks_uri, "its keys are at")
            keys = read_keys(await self._get(found.jwks_uri))
        if not keys:
            raise _BadAnswer(f"there is no key to verify signatures with at {found.jwks_uri[:200]}")
        return keys

    async def _discover(self) -> _Discovery:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _Discovery.model_validate_json(await self._get(address))
        if found.issuer != self._issuer:
            raise _BadAnswer(
                f"{address} describes the issuer {found.issuer[:200]!r}: "
                "MENDGATE_OIDC_ISSUER must be written exactly so, the last slash included"
            )
        return found

    def _require_trusted(self, address: str, what: str) -> None:
        """Refuse a line on which anybody could put keys or an endpoint of theirs in."""
        parts = urlsplit(address)
        all_on_loopback = urlsplit(self._issuer).scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not (parts.scheme == "http" and all_on_loopback):
            raise _BadAnswer(f"{what} {address[:200]!r}, which isn't https")

    async def _get(self, address: str) -> bytes:
        content = bytearray()
        async with self._client.stream("GET", address) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _BadAnswer(f"{address[:200]} answers {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise _BadAnswer(f"{address[:200]} answers with more than {_MOST_BYTES} bytes")
        return bytes(content)

    def _unavailable(self) -> IssuerUnavailable:
        return IssuerUnavailable(
            f"the keys of the OIDC issuer {self._issuer} can't be had now: try again in a few seconds; "
            "a token of `mendgate token create` works meanwhile, and the service's log says why"
        )


def read_keys(document: bytes) -> tuple[SigningKey, ...]:
    """Return the keys of a JWK set that may verify signatures; others are left out, as RFC 7517 (5) asks.

    Raises `ValueError` where it is no JWK set.
    """
    found = (_read_key(jwk) for jwk in _KeySet.model_validate_json(document).keys)
    return tuple(key for key in found if key)


def find_keys(keys: Sequence[SigningKey], kid: str | None, algorithm: str) -> Sequence[SigningKey]:
    """Return the keys that may have signed a token with this header. Without a `kid` any key may have."""
    return [key for key in keys if algorithm in key.algorithms and kid in (None, key.kid)]


def _read_key(document: Any) -> SigningKey | None:
    try:
        jwk = _Jwk.model_validate(document)
    except ValidationError:
        return None
    algorithms = _ALGORITHMS.get((jwk.kty, jwk.crv), frozenset())
    if jwk.alg is not None:
        algorithms &= {jwk.alg}
    meant_to_verify = jwk.use in (None, "sig") and "verify" in jwk.key_ops and "d" not in document
    if not algorithms or not meant_to_verify:
        return None
    try:
        return SigningKey(jwk.kid, algorithms, PyJWK(document, min(algorithms)).key)
    except (PyJWTError, ValueError):
        return None


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
