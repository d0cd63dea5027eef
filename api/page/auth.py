"""Authentication of the page: the session's bearer token, checked at each request as by the API.

A session is valid for the page only. The API takes `Authorization` headers and never reads a cookie.
"""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.config.roles import Role, includes
from api.identity.caller import Caller, require_role
from api.identity.sessions import Session
from api.page.errors import ForgedForm, SessionExpired
from api.rest.auth import find_reader, identify
from api.rest.dependencies import AppDependencies, Dependencies, find_dependencies


@dataclass(frozen=True)
class PageSession:
    """A signed-in person's request, with their session and the app's dependencies."""

    request: Request
    dependencies: AppDependencies
    session: Session
    caller: Caller

    def may(self, role: Role) -> bool:
        """Whether the person's role includes this one."""
        return includes(self.caller.role, role)


class RequireSession:
    """A dependency that requires a session whose role includes `needed`, and rejects forged forms."""

    def __init__(self, needed: Role = "viewer") -> None:
        self._needed = needed

    async def __call__(self, dependencies: Dependencies, request: Request) -> PageSession:
        """Return the session. Raises `SessionExpired`, `ForgedForm`, `Unauthenticated` or `Forbidden`."""
        session = dependencies.sessions.read(request)
        if session is None or not session.bearer:
            raise SessionExpired("sign in first")
        if request.method == "POST":
            await require_own_form(request, session)
        caller = await identify(dependencies, session.bearer)
        require_role(caller, self._needed)
        return PageSession(request, dependencies, session, caller)


async def find_page_session(request: Request) -> PageSession | None:
    """Return the session, for a page that anybody may see; None if nobody is signed in."""
    dependencies = await find_dependencies(request)
    session = dependencies.sessions.read(request)
    if session is None or not session.bearer:
        return None
    caller = await find_reader(dependencies, session.bearer)
    return PageSession(request, dependencies, session, caller) if caller else None


async def require_own_form(request: Request, session: Session | None) -> None:
    """Raise `ForgedForm` unless the form carries the session's CSRF token."""
    sent = (await request.form()).get("csrf")
    if session is None or not isinstance(sent, str) or not _is_same(sent, session.csrf):
        raise ForgedForm(
            "the form doesn't belong to this session. If this happens again, the browser rejects the cookie: "
            "allow cookies, and open the page over https, or on this machine itself"
        )


def _is_same(sent: str, kept: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="surrogatepass"), kept.encode())


RequireViewer = Annotated[PageSession, Depends(RequireSession())]
RequireApprover = Annotated[PageSession, Depends(RequireSession("approver"))]
RequireAdmin = Annotated[PageSession, Depends(RequireSession("admin"))]
