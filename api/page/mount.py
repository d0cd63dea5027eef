"""Mounts the page: its routes, which aren't in the OpenAPI document, and its static files."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.page import controls, decisions, inbox, incident, oidc_sign_in, sign_in
from api.page.errors import Refusal
from api.page.rendering import HEADERS, STATIC, protect, show_refusal

_NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_MOST_PATH = 200


class _StaticFiles(StaticFiles):
    """Static files with the page's headers; a browser asks each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS | {"Cache-Control": "no-cache"})
        return response


class _NotFoundPage:
    """Shows browsers a page for unknown URLs; programs still get the API's problem document."""

    def __init__(self, otherwise: Callable[[Request, Exception], Any]) -> None:
        self._otherwise = otherwise

    async def __call__(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code not in _NOT_FOUND or not _is_browser(request):
            answer: Response = await self._otherwise(request, error)
            return answer
        detail = f"mendgate has no page at {request.url.path[:_MOST_PATH]}"
        refusal = Refusal(HTTPStatus.NOT_FOUND, "There is no such page", detail)
        return protect(await show_refusal(request, refusal))


def _is_browser(request: Request) -> bool:
    wants_page = "text/html" in request.headers.get("accept", "")
    return request.method == "GET" and wants_page and not request.url.path.startswith("/v1/")


def install_page(app: FastAPI) -> None:
    """Serve the page under `/`, next to the API."""
    for module in (sign_in, oidc_sign_in, inbox, incident, decisions, controls):
        app.include_router(module.router)
    app.add_exception_handler(HTTPException, _NotFoundPage(app.exception_handlers[HTTPException]))
    app.mount("/static", _StaticFiles(directory=STATIC), name="static")
