"""Who knocks, and whether they may: bearer tokens on every path but the probes and the API's description.

A bearer is one of our own tokens, or a JWT of the OIDC issuer where one is set.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict

from api.door import Door, DoorIn
from api.tokens import Role, includes
from graph.policy import POLICY_PREFIX
from tools.errors import AlertmendError

_DOTS_OF_A_JWT = 2
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token from `alertmend token create --role ROLE --name NAME`. Roles: `ingest` delivers "
    "alerts; `viewer` reads; `approver` reads, decides and retries; `admin` does everything. Or a JWT of the "
    "OpenID Connect issuer that the service is set to; its groups give the role.",
)


class Unauthenticated(AlertmendError):
    """There is no valid token on the request."""

    def __init__(self, message: str, *, token_given: bool) -> None:
        self.token_given = token_given
        super().__init__(message)


class Forbidden(AlertmendError):
    """The token is valid, and its role doesn't allow this."""


class IssuerUnavailable(AlertmendError):
    """The OIDC issuer's keys can't be had, so that a JWT can't be told from a forged one."""


class Caller(BaseModel):
    """The person or program behind a request, as its token says."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role


class Knock:
    """A dependency that lets in only a token whose role includes `needed` (None: any token)."""

    def __init__(self, needed: Role | None) -> None:
        self._needed = needed

    async def __call__(
        self,
        door: DoorIn,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Caller:
        """Return who it is, or raise `Unauthenticated` or `Forbidden`."""
        if credentials is None:
            raise Unauthenticated(
                "send `Authorization: Bearer <token>`; `alertmend token create` makes one",
                token_given="authorization" in request.headers,
            )
        caller = await identify(door, credentials.credentials)
        if self._needed:
            require_role(caller, self._needed)
        return caller


async def _knock_to_scrape(
    door: DoorIn,
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller | None:
    """Let in viewers, or everybody where the metrics were opened."""
    return None if door.open_metrics else await Knock("viewer")(door, request, credentials)


async def identify(door: Door, token: str) -> Caller:
    """Return whose bearer this is, or raise `Unauthenticated`, `Forbidden` or `IssuerUnavailable`."""
    if door.issuer and token.count(".") == _DOTS_OF_A_JWT:  # our own tokens have none
        caller = await door.issuer.identify(token)
        if caller.name.startswith(POLICY_PREFIX):  # our own tokens' names have no colon
            raise Unauthenticated("a name that begins so is the policy's own", token_given=True)
        return caller
    record = door.tokens.find(token)
    if record is None:
        raise Unauthenticated("this token isn't known here, or it was revoked", token_given=True)
    return Caller(name=record.name, role=record.role)


async def find_reader(door: Door, token: str) -> Caller | None:
    """Return who may read by a bearer, now; None if nobody may."""
    try:
        caller = await identify(door, token)
        require_role(caller, "viewer")
    except AlertmendError:
        return None
    return caller


async def may_look(door: Door, token: str) -> bool:
    """Whether a bearer still lets its holder read: for what goes on longer than a request."""
    return await find_reader(door, token) is not None


def require_role(caller: Caller, needed: Role) -> None:
    """Raise `Forbidden` unless the caller's role includes the needed one."""
    if not includes(caller.role, needed):
        raise Forbidden(f"{caller.name} is {caller.role}; this needs the role {needed}")


async def _require_bearer(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> str:
    return credentials.credentials if credentials else ""


Bearer = Annotated[str, Depends(_require_bearer)]
"""The request's bearer, for what must ask about it again."""
Anyone = Annotated[Caller, Depends(Knock(None))]
Ingester = Annotated[Caller, Depends(Knock("ingest"))]
Viewer = Annotated[Caller, Depends(Knock("viewer"))]
Approver = Annotated[Caller, Depends(Knock("approver"))]
Admin = Annotated[Caller, Depends(Knock("admin"))]
Scraper = Annotated[Caller | None, Depends(_knock_to_scrape)]
