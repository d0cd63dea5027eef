"""Signing in at the OIDC issuer; the ID token becomes the session's bearer token."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api.identity.authorization_code import CodeFlow
from api.identity.caller import Unauthenticated, require_role
from api.identity.sessions import Session
from api.identity.sign_in_attempt import Attempt
from api.page.errors import explain
from api.page.rendering import PageRoute
from api.page.sign_in import keep_home, show_form
from api.rest.auth import identify
from api.rest.dependencies import AppDependencies, Dependencies
from tools.errors import BadInput, MendgateError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_CALLBACK = "/login/callback"


@router.get("/login/issuer")
async def begin_sign_in(
    request: Request, dependencies: Dependencies, next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Redirect the browser to the issuer."""
    attempt = Attempt.begin(keep_home(next_))
    try:
        way = await _require_flow(dependencies).find_way(attempt, _find_callback(request, dependencies))
    except MendgateError as error:
        return show_form(request, dependencies, next_, explain(error))
    response = RedirectResponse(way, HTTPStatus.SEE_OTHER)
    dependencies.sessions.write_attempt(request, response, attempt)
    return response


@router.get(_CALLBACK)
async def end_sign_in(
    request: Request, dependencies: Dependencies, code: str = "", state: str = "", error: str = ""
) -> Response:
    """Handle the redirect back from the issuer, and begin a session for the person."""
    attempt = dependencies.sessions.read_attempt(request)
    response: Response
    try:
        bearer = await _redeem(request, dependencies, attempt, code, state, error)
        response = RedirectResponse(attempt.next if attempt else "/", HTTPStatus.SEE_OTHER)
        dependencies.sessions.write(request, response, Session.begin(bearer))
    except MendgateError as refusal:
        response = show_form(request, dependencies, attempt.next if attempt else "/", explain(refusal))
    dependencies.sessions.end_attempt(request, response)
    return response


async def _redeem(  # noqa: PLR0913, PLR0917 -- what the issuer sends back
    request: Request,
    dependencies: AppDependencies,
    attempt: Attempt | None,
    code: str,
    state: str,
    error: str,
) -> str:
    flow = _require_flow(dependencies)
    if attempt is None:
        raise Unauthenticated(
            "the sign-in took too long, or wasn't started here: sign in again", token_given=True
        )
    if error or not code:
        raise Unauthenticated(
            f"the issuer refused the sign-in ({error[:80] or 'no code'}): try again, or ask its admin",
            token_given=True,
        )
    bearer = await flow.redeem(attempt, _find_callback(request, dependencies), code=code, state=state)
    require_role(await identify(dependencies, bearer), "viewer")
    flow.check_nonce(attempt, bearer)
    return bearer


def _require_flow(dependencies: AppDependencies) -> CodeFlow:
    if dependencies.issuer is None or dependencies.issuer.flow is None:
        raise BadInput("sign-in at an issuer isn't configured: set MENDGATE_OIDC_CLIENT_ID (docs/people.md)")
    return dependencies.issuer.flow


def _find_callback(request: Request, dependencies: AppDependencies) -> str:
    """Return the redirect URI; it must be registered at the issuer exactly like this."""
    return (dependencies.public_url or str(request.base_url).rstrip("/")) + _CALLBACK
