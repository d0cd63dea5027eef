"""OIDC issuers for tests: a real provider in a process of its own, and one that shows what a test makes up.

The provider is `oidc-provider-mock`: people get their tokens through the authorization code flow. The made-up
issuer is a real HTTP server too; it shows what no decent provider would.
"""

import asyncio
import json
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.streams import serving_streams

AUDIENCE = "mendgate"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_REDIRECT = "http://127.0.0.1/callback"
Document = dict[str, Any]


class ProviderProcess:
    """A real OIDC provider on a port of its own. Started again it has new keys."""

    def __init__(self, people: Sequence[Document]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._people = people
        self._process: Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self, *options: str) -> None:
        """Start the process and wait until it answers."""
        people = [option for person in self._people for option in ("--user-claims", json.dumps(person))]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "oidc_provider_mock", "--port", str(self._port), *people, *options,
            stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient() as client:
            while not await self._answers(client):
                assert self._process.returncode is None, "the provider didn't start"
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """End the process."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def sign_in(self, sub: str) -> str:
        """Sign a person in by the authorization code flow, and return the ID token."""
        request = {"client_id": AUDIENCE, "redirect_uri": _REDIRECT, "response_type": "code"}
        async with httpx.AsyncClient(base_url=self.url) as client:
            consent = await client.post(
                "/oauth2/authorize", params={**request, "scope": "openid email"}, data={"sub": sub}
            )
            code = httpx.URL(consent.headers["location"]).params["code"]
            grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": _REDIRECT}
            answer = await client.post("/oauth2/token", data=grant, auth=(AUDIENCE, "any"))
        return str(answer.json()["id_token"])

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/.well-known/openid-configuration")).is_success
        except httpx.TransportError:
            return False


@asynccontextmanager
async def run_provider(*people: Document) -> AsyncIterator[ProviderProcess]:
    """Run a provider that knows these people (`sub` and other claims)."""
    provider = ProviderProcess(people)
    try:
        await provider.start()
        yield provider
    finally:
        await provider.stop()


class SigningPair:
    """A private key under a name, and the JWK that an issuer shows of it."""

    def __init__(self, kid: str, algorithm: str = "ES256", *, bits: int = 2048) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.private: Any
        if algorithm.startswith("ES"):
            curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[algorithm]
            self.private = ec.generate_private_key(curve)
            shown = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
            shown = OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            self.private = rsa.generate_private_key(65537, bits)
            shown = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk: Document = {**shown, "kid": kid, "use": "sig"}

    def sign(self, claims: Document, **header: Any) -> str:
        """Return a JWT; a header of None is left out."""
        whole = {"kid": self.kid, **header}
        given = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(claims, self.private, self.algorithm, headers=given)


class MadeUpIssuer:
    """An issuer over real HTTP. What it shows are attributes; `asked` lists the paths as they came.

    With a `drop` it answers with that over and over and never comes to an end; an empty one is silence.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[Any] = []
        self.discovery: Document = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes | None = None
        self.drop: bytes | None = None
        self.asked: list[str] = []

    def claims(self, **changes: Any) -> Document:
        """Return the claims of a valid token, changed; a claim of None is left out."""
        now = int(time.time())
        valid = {"iss": self.url, "aud": AUDIENCE, "sub": "7f3a", "iat": now, "exp": now + 300}
        whole = {**valid, "groups": ["sre"], **changes}
        return {name: value for name, value in whole.items() if value is not None}

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readline()).decode().split()
        if head:  # else the client has hung up
            self.asked.append(head[1])
            while await reader.readline() not in {b"\r\n", b""}:
                pass
            while self.drop is not None and not reader.at_eof():
                writer.write(self.drop)
                await asyncio.sleep(_POLL_SECONDS)
            self._answer(writer, head[1])

    def _answer(self, writer: asyncio.StreamWriter, path: str) -> None:
        discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **self.discovery}
        shown = discovery if path.startswith("/.well-known/") else {"keys": self.keys}
        body = json.dumps(shown).encode() if self.body is None else self.body
        headers = {"content-length": str(len(body)), "connection": "close", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {self.status} Made Up\r\n{lines}\r\n".encode() + body)


@asynccontextmanager
async def run_made_up_issuer(*keys: SigningPair) -> AsyncIterator[MadeUpIssuer]:
    """Run an issuer that shows these keys."""
    issuer = MadeUpIssuer()
    issuer.keys = [key.jwk for key in keys]
    async with serving_streams(issuer.handle) as port:
        issuer.url = f"http://127.0.0.1:{port}"
        yield issuer
