"""What a setting that is a URL must look like, in words for the person who set it."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _require_web_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host, as http://localhost:10000")
    return url


WebUrl = Annotated[str, AfterValidator(_require_web_url)]
