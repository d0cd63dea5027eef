"""The app as somebody with a JWT sees it, and a clock for the keys behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from api.config.roles import Role
from api.identity.jwks import IssuerKeys
from api.identity.oidc import Issuer, IssuerSettings
from tests.integration.rest.rest_service import RestService, open_rest_service
from tests.issuer import AUDIENCE, SigningPair

KEY = SigningPair("k1")
RSA = SigningPair("r1", "RS256")
ROLES: dict[str, Role] = {"sre": "approver", "leads": "admin", "developers": "viewer", "robots": "ingest"}


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Gate:
    """The app, and how to knock at it with a JWT."""

    rest_service: RestService
    client: httpx.AsyncClient
    clock: Clock = field(default_factory=Clock)

    def trust(self, url: str, **terms: Any) -> None:
        """Let in the JWTs of an issuer."""
        keys = IssuerKeys(url, self.client, self.clock)
        issuer = Issuer(IssuerSettings(url, AUDIENCE, ROLES, **terms), keys)
        self.rest_service.app.state.dependencies = replace(self.rest_service.dependencies, issuer=issuer)

    async def ask(self, token: str, method: str = "GET", path: str = "/v1/me") -> httpx.Response:
        """Send a request with a bearer."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self.rest_service.client.request(method, path, headers=headers, json={})


@asynccontextmanager
async def open_gate(folder: Path) -> AsyncIterator[Gate]:
    """Open a house of its own, with nobody trusted yet."""
    async with open_rest_service(folder) as rest_service, httpx.AsyncClient() as client:
        yield Gate(rest_service, client)


def require_refused(answer: httpx.Response) -> None:
    """Fail unless the answer is the one to a bearer that nobody knows."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == 'Bearer realm="mendgate", error="invalid_token"'
    assert answer.headers["content-type"] == "application/problem+json"
