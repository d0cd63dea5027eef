"""The page as a part of the app: its routes, outside of the API's description, and its static files."""

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.page import controls, decisions, inbox, incident, issuer_sign_in, sign_in
from api.page.answers import HEADERS, STATIC


class _StaticFiles(StaticFiles):
    """Static files with the page's headers; a browser asks each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS | {"Cache-Control": "no-cache"})
        return response


def install_page(app: FastAPI) -> None:
    """Serve the page under `/`, beside the API."""
    for module in (sign_in, issuer_sign_in, inbox, incident, decisions, controls):
        app.include_router(module.router)
    app.mount("/static", _StaticFiles(directory=STATIC), name="static")
