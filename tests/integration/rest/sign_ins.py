"""Signing in on the page, as its form does."""

import re

import httpx

_SECRET = re.compile(r'name="csrf" value="([^"]+)"')


async def sign_in(client: httpx.AsyncClient, token: str, **fields: str) -> httpx.Response:
    """Send the form that the sign-in shows, and return the answer; the client keeps the session."""
    form = (await client.get("/login")).text
    body = {"csrf": read_secret(form), "token": token, **fields}
    return await client.post("/login", data=body)


def read_secret(html: str) -> str:
    """Return what a form of this page must carry."""
    found = _SECRET.search(html)
    assert found, html
    return found[1]
