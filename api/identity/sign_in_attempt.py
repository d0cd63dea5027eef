"""A sign-in at the issuer that a browser has begun, until the issuer sends it back."""

import secrets
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Attempt(BaseModel):
    """What the browser keeps of it, sealed: what the issuer must send back, and where it leads then."""

    model_config = ConfigDict(frozen=True)

    state: str = Field(repr=False)
    nonce: str = Field(repr=False)
    verifier: str = Field(repr=False)
    next: str = "/"

    @classmethod
    def begin(cls, wanted: str) -> Self:
        """Return a new one, that leads to `wanted` when it succeeds."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state=state, nonce=nonce, verifier=verifier, next=wanted)
