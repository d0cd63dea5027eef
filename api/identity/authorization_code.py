"""Signing people in at the issuer: the authorization code flow of OpenID Connect, with PKCE.

The issuer's ID token becomes the bearer of the page's session, and counts by the rules for all JWTs. What is
asked for here is only how to get one. https://openid.net/specs/openid-connect-core-1_0.html (3.1), RFC 7636.
"""

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import jwt

from api.identity.caller import IssuerUnavailable, Unauthenticated
from api.identity.jwks import ANSWER_SECONDS, IssuerKeys
from api.identity.sign_in_attempt import Attempt

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

_SCOPE = "openid email profile groups"
_AGAIN = "sign in once more"


@dataclass(frozen=True)
class CodeFlow:
    """A client of the issuer. `secret` None: a public client, which PKCE alone protects."""

    keys: IssuerKeys
    client_id: str
    secret: str | None = None

    async def find_way(self, attempt: Attempt, callback: str) -> str:
        """Return the issuer's URL to send the browser to. Raises `IssuerUnavailable`."""
        endpoints = await self.keys.endpoints()
        url, _ = self._client(callback).create_authorization_url(
            endpoints.authorization, state=attempt.state, nonce=attempt.nonce, code_verifier=attempt.verifier
        )
        return str(url)

    async def redeem(self, attempt: Attempt, callback: str, *, code: str, state: str) -> str:
        """Return the ID token for a code that the issuer gave the browser.

        Raises `Unauthenticated` where the attempt isn't this browser's, or the issuer refuses, and
        `IssuerUnavailable`. The token still has to be verified.
        """
        from authlib.integrations.base_client import OAuthError

        if not hmac.compare_digest(state.encode(), attempt.state.encode()):
            raise Unauthenticated(f"this sign-in wasn't begun here: {_AGAIN}", token_given=True)
        endpoints = await self.keys.endpoints()
        try:
            async with self._client(callback) as client:
                answer: dict[str, Any] = await client.fetch_token(
                    endpoints.token,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.verifier,
                )
        except OAuthError as error:
            raise Unauthenticated(
                f"the issuer refused the sign-in ({error.error}): {_AGAIN}", token_given=True
            ) from error
        except (httpx.HTTPError, ValueError) as error:
            raise IssuerUnavailable("the OIDC issuer can't be asked now: try again in a moment") from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Unauthenticated(
                "the issuer gave no ID token: does its client have openid?", token_given=True
            )
        return token

    def check_nonce(self, attempt: Attempt, token: str) -> None:
        """Raise `Unauthenticated` unless a token, verified before, was made for this attempt."""
        claims = jwt.decode(token, options={"verify_signature": False})
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise Unauthenticated(f"this ID token was made for another sign-in: {_AGAIN}", token_given=True)

    def _client(self, callback: str) -> "AsyncOAuth2Client":
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            self.client_id,
            self.secret,
            scope=_SCOPE,
            redirect_uri=callback,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self.secret else "none",
            timeout=ANSWER_SECONDS,
        )
