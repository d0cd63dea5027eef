"""Settings about who is told what happens."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings


def _trim(url: str) -> str:
    return url.rstrip("/")


class NotifySettings(BaseSettings):
    """Channels, and where the page is that messages lead to."""

    notify: Annotated[
        Path | None,
        Field(
            description="The YAML file of channels that are told what waits, what was decided and what came "
            "of it. Unset: nobody is told."
        ),
    ] = None
    public_url: Annotated[
        Annotated[str, AfterValidator(_trim)] | None,
        Field(
            pattern=r"^https?://[^\s?#@]+$",
            description="Where people reach the service with a browser: messages link to the incident there. "
            "Unset: messages have no link.",
        ),
    ] = None
