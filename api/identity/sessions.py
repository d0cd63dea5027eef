"""Sessions of the page: the bearer a person signed in with, sealed in a cookie that only the page opens.

The cookie holds the bearer itself, encrypted and dated (Fernet), so that each request asks the same question
as the API does: whose bearer is this? A revoked token, a changed role and a JWT that ran out therefore end a
session at once, and replicas need not tell each other anything.
"""

import base64
import secrets
from pathlib import Path
from typing import Self

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.identity.sign_in_attempt import Attempt
from tools.errors import BadInput
from tools.http_client.loopback import is_loopback

LASTS_SECONDS = 12 * 60 * 60
_NAME, _ATTEMPT = "mendgate", "mendgate-sign-in"
_ATTEMPT_SECONDS = 10 * 60
_MOST_CHARACTERS = 3900  # browsers drop a cookie above 4096, name and attributes included
_PURPOSE = b"mendgate page session"


class Session(BaseModel):
    """Whose bearer it is (empty before the sign-in), and what every form of the session must carry."""

    model_config = ConfigDict(frozen=True)

    bearer: str = Field(repr=False)
    csrf: str = Field(repr=False)

    @classmethod
    def begin(cls, bearer: str = "") -> Self:
        """Return a new session."""
        return cls(bearer=bearer, csrf=secrets.token_urlsafe(24))


class Sessions:
    """Puts sessions into cookies, and takes them out again."""

    def __init__(self, key: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return sessions under a key derived from the one in this file."""
        return cls(path.read_bytes())

    def read(self, request: Request) -> Session | None:
        """Return the request's session; None if it has none, or one that is forged or too old."""
        cookie = request.cookies.get(_cookie_name(request), "")
        try:
            document = self._fernet.decrypt(cookie.encode(), ttl=LASTS_SECONDS)
            return Session.model_validate_json(document)
        except (InvalidToken, ValidationError):  # the latter for a cookie of another release
            return None

    def write(self, request: Request, response: Response, session: Session) -> None:
        """Give the browser a session. Raises `BadInput` for a bearer that no cookie can hold."""
        sealed = self._fernet.encrypt(session.model_dump_json().encode()).decode()
        if len(sealed) > _MOST_CHARACTERS:
            raise BadInput(
                "this token is too long for a browser's cookie: ask the issuer for fewer claims, or sign in "
                "with a token of mendgate's own"
            )
        response.set_cookie(
            _cookie_name(request), sealed, max_age=LASTS_SECONDS, path="/", httponly=True, samesite="strict",
            secure=not _is_local(request),
        )  # fmt: skip

    def read_attempt(self, request: Request) -> Attempt | None:
        """Return the sign-in at the issuer that the browser has begun; None if none, or too long ago."""
        cookie = request.cookies.get(_ATTEMPT, "")
        try:
            document = self._fernet.decrypt(cookie.encode(errors="replace"), ttl=_ATTEMPT_SECONDS)
            return Attempt.model_validate_json(document)
        except (InvalidToken, ValidationError):
            return None

    def write_attempt(self, request: Request, response: Response, attempt: Attempt) -> None:
        """Have the browser remember it. The cookie comes along when the issuer sends the browser back."""
        response.set_cookie(
            _ATTEMPT, self._fernet.encrypt(attempt.model_dump_json().encode()).decode(),
            max_age=_ATTEMPT_SECONDS, path="/login", httponly=True, samesite="lax",
            secure=not _is_local(request),
        )  # fmt: skip

    def end_attempt(self, request: Request, response: Response) -> None:
        """Have the browser forget it: each counts once."""
        response.delete_cookie(
            _ATTEMPT, path="/login", httponly=True, samesite="lax", secure=not _is_local(request)
        )

    def end(self, request: Request, response: Response) -> None:
        """Take the session from the browser."""
        response.delete_cookie(
            _cookie_name(request), path="/", httponly=True, samesite="strict", secure=not _is_local(request)
        )


def _cookie_name(request: Request) -> str:
    # with the prefix no other host, nor anybody on plain http, can set the cookie; it takes https
    return _NAME if _is_local(request) else f"__Host-{_NAME}"


def _is_local(request: Request) -> bool:
    return is_loopback(request.url.hostname or "")
