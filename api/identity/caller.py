"""Who is calling, and the errors of those who may not."""

from pydantic import BaseModel, ConfigDict

from api.config.roles import Role, includes
from tools.errors import MendgateError


class Unauthenticated(MendgateError):
    """There is no valid token on the request."""

    def __init__(self, message: str, *, token_given: bool) -> None:
        self.token_given = token_given
        super().__init__(message)


class Forbidden(MendgateError):
    """The token is valid, and its role doesn't allow this."""


class IssuerUnavailable(MendgateError):
    """The OIDC issuer's keys can't be fetched, so a forged JWT can't be recognised."""


class Caller(BaseModel):
    """The person or program behind a request, as its token says."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role


def require_role(caller: Caller, needed: Role) -> None:
    """Raise `Forbidden` unless the caller's role includes the needed one."""
    if not includes(caller.role, needed):
        raise Forbidden(f"{caller.name} is {caller.role}; this needs the role {needed}")
