"""Renders the page: escaping templates, security headers, and errors as pages."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from api.identity.caller import Unauthenticated
from api.page import filters
from api.page.auth import PageSession, find_page_session
from api.page.errors import Refusal, SessionExpired, explain
from tools.errors import MendgateError
from tools.text.plain_text import make_plain

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not `no-referrer`: browsers then send no Origin with forms, and the origin guard needs one
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"
_ELSEWHERE = frozenset({"cross-site", "same-site"})


def _make_harmless(value: object) -> str:
    """Remove control characters from everything shown, texts and objects alike."""
    return value if isinstance(value, Markup) else make_plain(str(value))


_environment = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
    finalize=_make_harmless, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_environment.filters |= filters.FILTERS
_templates = Jinja2Templates(env=_environment)


class PageRoute(APIRoute):
    """A route of the page: its errors are pages too, and every answer has the page's headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the usual handler, wrapped."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except (SessionExpired, Unauthenticated):
                response = _send_to_sign_in(request)
            except (MendgateError, RequestValidationError, HTTPException) as error:
                response = await show_refusal(request, explain(error))
            return protect(response)

        return answer


def protect(response: Response) -> Response:
    """Give an answer the page's headers."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def show(page_session: PageSession, template: str, status: int = HTTPStatus.OK, **facts: Any) -> Response:
    """Return a page for a person who is signed in."""
    return render(page_session.request, template, status, page_session=page_session, **facts)


def render(request: Request, template: str, status: int = HTTPStatus.OK, **facts: Any) -> Response:
    """Return a page."""
    return _templates.TemplateResponse(request, template, {"page_session": None, **facts}, status)


async def show_refusal(request: Request, refusal: Refusal) -> Response:
    """Return the page that explains a refusal; a signed-in person keeps the navigation."""
    page_session = await find_page_session(request)
    return render(request, "refusal.html", refusal.status, refusal=refusal, page_session=page_session)


def comes_from_elsewhere(request: Request) -> bool:
    """Whether a link on another site led here: browsers then don't send the session cookie."""
    return request.method == "GET" and request.headers.get("sec-fetch-site") in _ELSEWHERE


def ask_again(request: Request) -> Response:
    """Make the browser repeat the request from this site, so that it sends its cookie."""
    return render(request, "bounce.html", place=_find_place(request))


def _send_to_sign_in(request: Request) -> Response:
    """Redirect to the sign-in, and from there back to the requested page; a live timeline just ends."""
    if "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=HTTPStatus.NO_CONTENT)  # an EventSource doesn't reconnect after it
    if comes_from_elsewhere(request):
        return ask_again(request)
    place = _find_place(request)
    wanted = f"?next={quote(place, safe='')}" if request.method == "GET" and place != "/" else ""
    return RedirectResponse(f"/login{wanted}", HTTPStatus.SEE_OTHER)


def _find_place(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
