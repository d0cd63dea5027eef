"""What every route needs, handed to the app once instead of living in module-level clients."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from api.events import Streams
from api.limits import Places
from api.metrics import Metrics
from api.page.sessions import Sessions
from api.tokens import TokenStore
from checkpoints.ledger import Ledger

if TYPE_CHECKING:
    from api.editing import Editor
    from api.oidc import Issuer
    from api.spans import Traces


@dataclass(frozen=True)
class Door:
    """The routes' collaborators.

    `wake` tells the runner that an incident has something to do; it returns at once. `retry` opens a failed
    incident again, in the name of a person, or raises. `editor` is None where nothing can be written,
    `issuer` where JWTs aren't let in, `traces` where nobody collects them. `sessions` are the page's: of this
    process alone, unless a key is given. `public_url` is where browsers find the service (None: where
    they ask). `open_metrics`: without a token.
    """

    ledger: Ledger
    wake: Callable[[str], None]
    retry: Callable[[str, str], Awaitable[None]]
    tokens: TokenStore
    editor: "Editor | None" = None
    issuer: "Issuer | None" = None
    sessions: Sessions = field(default_factory=lambda: Sessions(secrets.token_bytes(32)))
    public_url: str | None = None
    metrics: Metrics = field(default_factory=Metrics)
    open_metrics: bool = False
    traces: "Traces | None" = None
    places: Places = field(default_factory=Places)
    streams: Streams = field(default_factory=Streams)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


async def find_door(request: Request) -> Door:
    """Return the door of the app that serves the request."""
    door: Door = request.app.state.door
    return door


DoorIn = Annotated[Door, Depends(find_door)]
