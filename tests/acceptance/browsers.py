"""A real browser for tests of the page: Debian's Chromium, driven by Playwright, and what went wrong in it.

`MENDGATE_TEST_REQUIRE_BROWSER=1` turns "skipped for want of a browser" into a failure.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
_PATIENCE_MILLISECONDS = 60_000.0
_POLL_SECONDS = 0.02


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start the browser, or skip the test that wants it."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("MENDGATE_TEST_REQUIRE_BROWSER"):
            pytest.fail("a browser is required: apt-get install chromium")
        pytest.skip("no browser: apt-get install chromium")
    async with async_playwright() as playwright:
        # as root, as in CI, Chromium doesn't start in its own sandbox
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Person:
    """A person before the page, with a browser of their own: its cookies, and all that complained."""

    url: str
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    async def open_tab(self, path: str = "/") -> Page:
        """Open a path in a new tab."""
        tab = await self.context.new_page()
        tab.set_default_timeout(_PATIENCE_MILLISECONDS)
        tab.on("console", lambda message: self._note(message.type, message.text))
        tab.on("pageerror", lambda error: self._note("error", str(error)))
        tab.on("dialog", lambda dialog: self._note("error", f"a dialog: {dialog.message}"))
        await tab.goto(self.url + path)
        return tab

    async def sign_in(self, token: str, path: str = "/") -> Page:
        """Sign in with a token on the way to a path."""
        tab = await self.open_tab(path)
        await tab.get_by_label("Token").fill(token)
        await tab.get_by_role("button", name="Sign in").click()
        await tab.wait_for_url(self.url + path)
        return tab

    def _note(self, kind: str, text: str) -> None:
        # Chromium says of every 4xx that it couldn't load it; tests look at the answers themselves
        if kind in {"error", "warning"} and "the server responded with a status of" not in text:
            self.complaints.append(text)


@asynccontextmanager
async def open_person(browser: Browser, url: str, **options: Any) -> AsyncIterator[Person]:
    """Open a fresh browser profile; nothing in it may complain of scripts, styles or the policy."""
    context = await browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce"} | options)
    person = Person(url, context)
    try:
        yield person
    finally:
        await context.close()
    assert person.complaints == [], person.complaints


@asynccontextmanager
async def serve_app(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app on a free port of loopback; yield its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 -- uvicorn offers nothing to await
            await asyncio.sleep(_POLL_SECONDS)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state.dependencies.closing.set()
            server.should_exit = True
            await task
