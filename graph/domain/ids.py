"""Identifiers: a prefix that says what they name, and 64 random bits."""

import secrets
from typing import Literal


def new_id(prefix: Literal["inc", "apr", "whk", "frz", "msg"]) -> str:
    """Return a fresh identifier, as `apr-0f3a9c1b2d4e5f60`."""
    return f"{prefix}-{secrets.token_hex(8)}"
