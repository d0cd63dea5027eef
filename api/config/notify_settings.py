"""Settings about who is told what happens."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from api.config.urls import WebUrl

_BEYOND_PATH = re.compile(r"[\s?#@]")


def _require_plain(url: str) -> str:
    if _BEYOND_PATH.search(url):
        raise ValueError("must be without user, query and fragment, as https://mendgate.example.com")
    return url


def _trim(url: str) -> str:
    return url.rstrip("/")


class NotifySettings(BaseSettings):
    """Channels, and where the page is that messages lead to."""

    notify: Annotated[
        Path | None,
        Field(
            description="The YAML file of channels that get messages about what waits, what was decided and "
            "what came of it. Unset: nobody is notified."
        ),
    ] = None
    public_url: Annotated[
        Annotated[WebUrl, AfterValidator(_require_plain), AfterValidator(_trim)] | None,
        Field(
            description="Where people reach the service with a browser: messages link to the incident there. "
            "Unset: messages have no link.",
        ),
    ] = None
