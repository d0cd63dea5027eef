"""Who looks at the page: the session's bearer, asked about at each request as the API asks.

A session counts on the page alone. The API takes `Authorization` headers and never looks at a cookie.
"""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.auth import Caller, find_reader, identify, require_role
from api.door import Door, DoorIn, find_door
from api.page.refusals import ForgedForm, PageGone
from api.page.sessions import Session
from api.tokens import Role, includes


@dataclass(frozen=True)
class Visitor:
    """A person who is signed in, what they asked for, and the door behind which it is."""

    request: Request
    door: Door
    session: Session
    caller: Caller

    def may(self, role: Role) -> bool:
        """Whether the visitor's role includes this one."""
        return includes(self.caller.role, role)


class Visit:
    """A dependency that lets in a visitor whose role includes `needed`, and no form of another's making."""

    def __init__(self, needed: Role = "viewer") -> None:
        self._needed = needed

    async def __call__(self, door: DoorIn, request: Request) -> Visitor:
        """Return who it is. Raises `PageGone`, `ForgedForm`, `Unauthenticated` or `Forbidden`."""
        session = door.sessions.read(request)
        if session is None or not session.bearer:
            raise PageGone("sign in first")
        if request.method == "POST":
            await require_own_form(request, session)
        caller = await identify(door, session.bearer)
        require_role(caller, self._needed)
        return Visitor(request, door, session, caller)


async def find_visitor(request: Request) -> Visitor | None:
    """Return who is signed in, for a page that is shown to everybody; None where nobody is."""
    door = await find_door(request)
    session = door.sessions.read(request)
    if session is None or not session.bearer:
        return None
    caller = await find_reader(door, session.bearer)
    return Visitor(request, door, session, caller) if caller else None


async def require_own_form(request: Request, session: Session | None) -> None:
    """Raise `ForgedForm` unless the form carries what the session's own pages put into theirs."""
    sent = (await request.form()).get("csrf")
    if session is None or not isinstance(sent, str) or not _is_same(sent, session.csrf):
        raise ForgedForm(
            "the form doesn't belong to this session. If it keeps happening, the browser refuses the cookie: "
            "allow it, and come over https or from this machine itself"
        )


def _is_same(sent: str, kept: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="surrogatepass"), kept.encode())


Looking = Annotated[Visitor, Depends(Visit())]
Deciding = Annotated[Visitor, Depends(Visit("approver"))]
Ruling = Annotated[Visitor, Depends(Visit("admin"))]
