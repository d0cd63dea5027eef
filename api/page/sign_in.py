"""Signing in and out: a bearer token is exchanged for a session of the page."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from api.identity.caller import require_role
from api.identity.sessions import Session
from api.page.auth import RequireViewer, require_own_form
from api.page.errors import Refusal, explain
from api.page.rendering import PageRoute, ask_again, comes_from_elsewhere, render, show
from api.rest.auth import identify, may_look
from api.rest.dependencies import AppDependencies, Dependencies
from tools.errors import MendgateError

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
async def read_sign_in(
    request: Request, dependencies: Dependencies, next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Show the sign-in form, unless the person is signed in already."""
    if comes_from_elsewhere(request):  # the form's cookie would replace a session whose cookie wasn't sent
        return ask_again(request)
    session = dependencies.sessions.read(request)
    if session and session.bearer and await may_look(dependencies, session.bearer):
        return RedirectResponse(keep_home(next_), HTTPStatus.SEE_OTHER)
    return show_form(request, dependencies, next_)


@router.post("/login")
async def sign_in(
    request: Request,
    dependencies: Dependencies,
    token: Annotated[str, Form()] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Exchange one of mendgate's tokens, or a JWT of the issuer, for a session."""
    bearer = token.strip()
    try:
        await require_own_form(request, dependencies.sessions.read(request))
        require_role(await identify(dependencies, bearer), "viewer")
        response = RedirectResponse(keep_home(next_), HTTPStatus.SEE_OTHER)
        dependencies.sessions.write(request, response, Session.begin(bearer))
    except MendgateError as error:
        return show_form(request, dependencies, next_, explain(error))
    return response


@router.post("/logout")
async def sign_out(page_session: RequireViewer) -> Response:
    """End the session."""
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    page_session.dependencies.sessions.end(page_session.request, response)
    return response


@router.get("/me")
async def read_me(page_session: RequireViewer) -> Response:
    """Show the name and role of the signed-in person."""
    return show(page_session, "me.html")


def show_form(
    request: Request, dependencies: AppDependencies, wanted: str, refusal: Refusal | None = None
) -> Response:
    """Show the form with an anonymous session, so that no other site can sign people in."""
    kept = dependencies.sessions.read(request)
    session = kept if kept and not kept.bearer else Session.begin()  # two tabs may sign in at once
    response = render(
        request, "sign_in.html", refusal.status if refusal else HTTPStatus.OK, csrf=session.csrf,
        next=keep_home(wanted), refusal=refusal, takes_jwts=dependencies.issuer is not None,
        at_issuer=dependencies.issuer is not None and dependencies.issuer.flow is not None,
    )  # fmt: skip
    dependencies.sessions.write(request, response, session)
    return response


def keep_home(wanted: str) -> str:
    """Return the path if it belongs to this service, else the front page, to prevent open redirects."""
    parts = urlsplit(wanted)
    at_home = not parts.scheme and not parts.netloc and wanted.startswith("/") and "\\" not in wanted
    return wanted if at_home and not wanted.startswith("//") and wanted.isprintable() else "/"
