"""What every route needs, handed to the app once instead of living in module-level clients."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from api.http_server.limits import ConcurrencyLimit
from api.identity.sessions import Sessions
from api.identity.tokens import TokenStore
from api.observability.metrics import Metrics
from api.rest.event_stream import Streams
from checkpoints.ledger import Ledger

if TYPE_CHECKING:
    from api.identity.oidc import Issuer
    from api.observability.spans import Traces
    from api.rest.proposal_editor import Editor


@dataclass(frozen=True)
class AppDependencies:
    """The routes' collaborators.

    `wake` notifies the runner that an incident has work; it returns at once. `retry` reopens a failed
    incident in the name of a person, or raises. `editor` is None if there is no write credential,
    `issuer` if JWTs aren't accepted, `traces` if none are collected. `sessions` are the page's: valid in this
    process only, unless a key is given. `public_url` is where browsers reach the service (None: the request's
    own URL). `open_metrics`: `/metrics` needs no token.
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
    places: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
    streams: Streams = field(default_factory=Streams)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


async def find_dependencies(request: Request) -> AppDependencies:
    """Return the dependencies of the app that serves the request."""
    dependencies: AppDependencies = request.app.state.dependencies
    return dependencies


Dependencies = Annotated[AppDependencies, Depends(find_dependencies)]
