"""Signing in at the issuer: there and back, and the ID token becomes the session's bearer."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api.attempt import Attempt
from api.auth import Unauthenticated, identify, require_role
from api.code_flow import CodeFlow
from api.door import Door, DoorIn
from api.page.answers import PageRoute
from api.page.refusals import explain
from api.page.sessions import Session
from api.page.sign_in import keep_home, show_form
from tools.errors import AlertmendError, BadInput

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_CALLBACK = "/login/callback"


@router.get("/login/issuer")
async def begin_sign_in(
    request: Request, door: DoorIn, next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Send the browser to the issuer."""
    attempt = Attempt.begin(keep_home(next_))
    try:
        way = await _require_flow(door).find_way(attempt, _find_callback(request, door))
    except AlertmendError as error:
        return show_form(request, door, next_, explain(error))
    response = RedirectResponse(way, HTTPStatus.SEE_OTHER)
    door.sessions.write_attempt(request, response, attempt)
    return response


@router.get(_CALLBACK)
async def end_sign_in(
    request: Request, door: DoorIn, code: str = "", state: str = "", error: str = ""
) -> Response:
    """Take the browser back from the issuer, and let in who it says it is."""
    attempt = door.sessions.read_attempt(request)
    response: Response
    try:
        bearer = await _redeem(request, door, attempt, code, state, error)
        response = RedirectResponse(attempt.next if attempt else "/", HTTPStatus.SEE_OTHER)
        door.sessions.write(request, response, Session.begin(bearer))
    except AlertmendError as refusal:
        response = show_form(request, door, attempt.next if attempt else "/", explain(refusal))
    door.sessions.end_attempt(request, response)
    return response


async def _redeem(  # noqa: PLR0913, PLR0917 -- what the issuer sends back
    request: Request, door: Door, attempt: Attempt | None, code: str, state: str, error: str
) -> str:
    flow = _require_flow(door)
    if attempt is None:
        raise Unauthenticated("it took too long, or wasn't begun here: sign in once more", token_given=True)
    if error or not code:
        raise Unauthenticated(f"the issuer let nobody in ({error[:80] or 'no code'})", token_given=True)
    bearer = await flow.redeem(attempt, _find_callback(request, door), code=code, state=state)
    require_role(await identify(door, bearer), "viewer")
    flow.check_nonce(attempt, bearer)
    return bearer


def _require_flow(door: Door) -> CodeFlow:
    if door.issuer is None or door.issuer.flow is None:
        raise BadInput(
            "people can't sign in at an issuer here: set ALERTMEND_OIDC_CLIENT_ID (docs/people.md)"
        )
    return door.issuer.flow


def _find_callback(request: Request, door: Door) -> str:
    """Return where the issuer sends the browser back to: it must be registered there, to the letter."""
    return (door.public_url or str(request.base_url).rstrip("/")) + _CALLBACK
