"""Authentication and role checks: bearer tokens on every path except the probes and the API's description.

A bearer token is one of mendgate's own tokens, or a JWT of the OIDC issuer if one is configured.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.config.roles import Role
from api.identity.caller import Caller, Unauthenticated, require_role
from api.rest.dependencies import AppDependencies, Dependencies
from graph.policy import POLICY_PREFIX
from tools.errors import MendgateError

_DOTS_OF_A_JWT = 2
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token from `mendgate token create --role ROLE --name NAME`. Roles: `ingest` delivers "
    "alerts; `viewer` reads; `approver` reads, decides and retries; `admin` does everything. Or a JWT of the "
    "OpenID Connect issuer that the service is set to; its groups give the role.",
)


class RequireRole:
    """A dependency that accepts only a token whose role includes `needed` (None: any token)."""

    def __init__(self, needed: Role | None) -> None:
        self._needed = needed

    async def __call__(
        self,
        dependencies: Dependencies,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Caller:
        """Return the caller, or raise `Unauthenticated` or `Forbidden`."""
        if credentials is None:
            raise Unauthenticated(
                "send `Authorization: Bearer <token>`; `mendgate token create` makes one",
                token_given="authorization" in request.headers,
            )
        caller = await identify(dependencies, credentials.credentials)
        if self._needed:
            require_role(caller, self._needed)
        return caller


async def _require_scraper(
    dependencies: Dependencies,
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller | None:
    """Let in viewers, or everybody if metrics are open (`open_metrics`)."""
    return (
        None if dependencies.open_metrics else await RequireRole("viewer")(dependencies, request, credentials)
    )


async def identify(dependencies: AppDependencies, token: str) -> Caller:
    """Return the owner of a bearer token, or raise `Unauthenticated`, `Forbidden` or `IssuerUnavailable`."""
    if dependencies.issuer and token.count(".") == _DOTS_OF_A_JWT:  # our own tokens have none
        caller = await dependencies.issuer.identify(token)
        if caller.name.startswith(POLICY_PREFIX):  # our own tokens' names have no colon
            raise Unauthenticated(
                "this user name is reserved for the policy: ask the issuer's admin for another name claim",
                token_given=True,
            )
        return caller
    record = dependencies.tokens.find(token)
    if record is None:
        raise Unauthenticated(
            "this token is unknown or revoked: make a new one with `mendgate token create`", token_given=True
        )
    return Caller(name=record.name, role=record.role)


async def find_reader(dependencies: AppDependencies, token: str) -> Caller | None:
    """Return the caller if this bearer token may read now; None otherwise."""
    try:
        caller = await identify(dependencies, token)
        require_role(caller, "viewer")
    except MendgateError:
        return None
    return caller


async def may_look(dependencies: AppDependencies, token: str) -> bool:
    """Whether a bearer token still allows reading: checked again while a stream is open."""
    return await find_reader(dependencies, token) is not None


async def _require_bearer(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> str:
    return credentials.credentials if credentials else ""


Bearer = Annotated[str, Depends(_require_bearer)]
"""The request's bearer token, for handlers that must check it again later."""
Anyone = Annotated[Caller, Depends(RequireRole(None))]
Ingester = Annotated[Caller, Depends(RequireRole("ingest"))]
Viewer = Annotated[Caller, Depends(RequireRole("viewer"))]
Approver = Annotated[Caller, Depends(RequireRole("approver"))]
Admin = Annotated[Caller, Depends(RequireRole("admin"))]
Scraper = Annotated[Caller | None, Depends(_require_scraper)]
