"""People who sign in elsewhere: JWTs of one OpenID Connect issuer as bearer tokens.

A JWT counts when one of the issuer's keys has signed it with an asymmetric algorithm, and it is for us and in
date (RFC 7519, RFC 8725). Its groups give the role. ID tokens and access tokens (RFC 9068) are both taken.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import httpx
import jwt

from api.config.roles import Role
from api.config.settings import Settings
from api.identity.caller import Caller, Forbidden, Unauthenticated
from api.identity.jwks import ALGORITHMS, ANSWER_SECONDS, IssuerKeys, SigningKey, find_keys
from tools.errors import BadInput

if TYPE_CHECKING:
    from api.identity.authorization_code import CodeFlow

LEEWAY_SECONDS = 30  # between the issuer's clock and ours
MOST_CHARACTERS = 16 * 1024
_TYPES = frozenset({"jwt", "application/jwt", "at+jwt", "application/at+jwt"})
# Bound to a key that a bearer doesn't show (RFC 7800), and security events such as a logout (RFC 8417).
_NO_BEARER = frozenset({"cnf", "events"})
# A name on the record must not pass for other text in a log, a table or a terminal, nor for another name.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.@_+:/|=,~#-]{0,199}")
_OPTIONS: Any = {"require": ["exp", "iat", "iss", "aud", "sub"], "enforce_minimum_key_length": True}
_UNKNOWN = "this token is unknown or revoked: make a new one with `mendgate token create`"
_UNUSABLE = "this JWT can't be used here: get a new one from the issuer"

Claims = Mapping[str, Any]


@dataclass(frozen=True)
class IssuerSettings:
    """Whose JWTs are let in, and what their claims mean here."""

    issuer: str
    audience: str
    roles: Mapping[str, Role]
    groups_claim: str = "groups"
    name_claim: str = "sub"


class Issuer:
    """Says who holds a JWT."""

    def __init__(self, terms: IssuerSettings, keys: IssuerKeys, flow: "CodeFlow | None" = None) -> None:
        self._terms = terms
        self._keys = keys
        self.flow = flow
        """How people sign in at the issuer; None where they bring their JWTs."""

    async def identify(self, token: str) -> Caller:
        """Return who it is. Raises `Unauthenticated`, `Forbidden` or `IssuerUnavailable`."""
        kid, algorithm = _read_header(token)
        for ask in (self._keys.current, self._keys.renewed):
            keys = find_keys(await ask(), kid, algorithm)
            if claims := self._verify(token, keys, algorithm):
                return self._describe(claims)
        raise Unauthenticated(_UNKNOWN, token_given=True)

    def _verify(self, token: str, keys: Sequence[SigningKey], algorithm: str) -> Claims | None:
        """Return what the token claims; None if none of the keys has signed it."""
        for key in keys:
            try:
                return self._decode(token, key, algorithm)
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError as error:
                raise Unauthenticated(
                    "this JWT has expired: get a new one from the issuer", token_given=True
                ) from error
            except jwt.InvalidAudienceError as error:
                raise Unauthenticated(
                    f"this JWT is for somebody else: ask the issuer for the audience {self._terms.audience}",
                    token_given=True,
                ) from error
            except jwt.PyJWTError as error:
                raise Unauthenticated(_UNUSABLE, token_given=True) from error
        return None

    def _decode(self, token: str, key: SigningKey, algorithm: str) -> Claims:
        claims: Claims = jwt.decode(
            token,
            key.public,
            algorithms=[algorithm],
            audience=self._terms.audience,
            issuer=self._terms.issuer,
            leeway=LEEWAY_SECONDS,
            options=_OPTIONS,
        )
        if _NO_BEARER & claims.keys():
            raise jwt.InvalidTokenError("not a bearer token")
        return claims

    def _describe(self, claims: Claims) -> Caller:
        name = self._name(claims)
        held = [self._terms.roles[group] for group in self._groups(claims) if group in self._terms.roles]
        if not held:
            raise Forbidden(f"{name} is in no group that MENDGATE_OIDC_ROLES gives a role")
        return Caller(name=name, role=max(held, key=get_args(Role).index))

    def _name(self, claims: Claims) -> str:
        """Return the name on the record. Its colon keeps it apart from the names of our own tokens."""
        claim = self._terms.name_claim
        name = claims.get(claim)
        if claim == "email" and claims.get("email_verified") is not True:
            raise Forbidden("the issuer hasn't verified this JWT's email, so it can't be a name here")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Forbidden(
                f"this JWT's claim {claim} can't be a name on the record: it takes up to 200 letters, "
                "digits and . @ _ + : / | = , ~ # -; MENDGATE_OIDC_NAME_CLAIM chooses another claim"
            )
        # One mailbox is one person. Lowered after the check: the Kelvin sign, for one, becomes a plain k.
        return f"oidc:{name.lower() if claim == 'email' else name}"

    def _groups(self, claims: Claims) -> Sequence[str]:
        groups = claims.get(self._terms.groups_claim)
        listed = groups if isinstance(groups, list) else [groups]
        return [group for group in listed if isinstance(group, str)]


def read_terms(settings: Settings) -> IssuerSettings | None:
    """Return on which terms JWTs are let in; None if they aren't. Raises `BadInput` for half a setting."""
    given = {
        "MENDGATE_OIDC_ISSUER": settings.oidc_issuer,
        "MENDGATE_OIDC_AUDIENCE": settings.oidc_audience,
        "MENDGATE_OIDC_ROLES": settings.oidc_roles,
    }
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given) and not settings.oidc_client_id:
        return None
    if missing:
        raise BadInput(
            f"{', '.join(missing)}: needed with {', '.join(name for name in given if name not in missing)}; "
            "docs/people.md shows all three"
        )
    if settings.oidc_client_id and settings.oidc_client_id != settings.oidc_audience:
        raise BadInput(
            "MENDGATE_OIDC_CLIENT_ID must be the same as MENDGATE_OIDC_AUDIENCE: the ID tokens that people "
            "get when they sign in are made for the client"
        )
    assert settings.oidc_issuer
    assert settings.oidc_audience
    assert settings.oidc_roles
    return IssuerSettings(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_roles,
        settings.oidc_groups_claim,
        settings.oidc_name_claim,
    )


@asynccontextmanager
async def open_issuer(settings: Settings) -> AsyncIterator[Issuer | None]:
    """Open the way to the issuer while the block runs; None where none is set. Nothing is asked yet."""
    terms = read_terms(settings)
    if terms is None:
        yield None
        return
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, headers={"Accept": "application/json"}) as client:
        keys = IssuerKeys(terms.issuer, client)
        yield Issuer(terms, keys, _open_flow(settings, keys))


def _open_flow(settings: Settings, keys: IssuerKeys) -> "CodeFlow | None":
    if settings.oidc_client_id is None:
        return None
    from api.identity.authorization_code import CodeFlow

    secret = settings.oidc_client_secret
    return CodeFlow(keys, settings.oidc_client_id, secret.get_secret_value() if secret else None)


def _read_header(token: str) -> tuple[str | None, str]:
    """Return which key and algorithm the token says it was signed with; nothing else in there is heeded."""
    if len(token) > MOST_CHARACTERS:
        raise Unauthenticated(
            f"this JWT has more than {MOST_CHARACTERS} characters: ask the issuer for fewer claims",
            token_given=True,
        )
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise Unauthenticated(_UNKNOWN, token_given=True) from error
    algorithm, kind = str(header.get("alg")), str(header.get("typ", "JWT"))
    if algorithm not in ALGORITHMS or kind.lower() not in _TYPES:
        raise Unauthenticated(_UNUSABLE, token_given=True)
    return header.get("kid"), algorithm
