"""Whether the process lives, whether it may be sent requests, and what Prometheus is told."""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from api.auth import Scraper
from api.door import DoorIn
from api.examples import HEALTH, METRICS
from api.metrics import CONTENT_TYPE
from api.openapi import answers
from api.problems import NotReady, Stopping
from api.schemas import Health
from checkpoints.database import DatabaseUnavailable
from checkpoints.schema import SchemaMismatch

router = APIRouter(tags=["service"])
_PATIENCE_SECONDS = 5.0
_IN_DOUBT = "all writes are stopped: the audit or a stop was altered; GET /v1/policy says more"


@router.get(
    "/healthz", response_model_exclude_none=True, responses=answers(200, "It lives.", HEALTH, refusals=())
)
async def check_health() -> Health:
    """Tell that the process answers. It goes on doing so while it stops, and without a database."""
    return Health()


@router.get(
    "/readyz",
    response_model_exclude_none=True,
    responses=answers(200, "Send requests.", HEALTH, refusals=(503,)),
)
async def check_readiness(door: DoorIn) -> Health:
    """Tell whether requests should be sent here: it isn't stopping, and the database and its tables are fit.

    Needs no token; which check failed is all that it says, and whether the audit stops all writes.
    """
    if door.closing.is_set():
        raise Stopping("the service is stopping; requests are answered until it has")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await door.ledger.counts.require_ready()
            doubt = await door.ledger.stops.doubt()
    except (DatabaseUnavailable, TimeoutError) as error:
        raise NotReady("database: it can't be used now; the service's log says more") from error
    except SchemaMismatch as error:
        raise NotReady("migrations: the tables aren't this version's; run `alertmend migrate`") from error
    return Health(note=_IN_DOUBT if doubt else None)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=answers(
        200, "Prometheus' text format.", METRICS, refusals=(401, 403, 503), media_type="text/plain"
    ),
)
async def read_metrics(door: DoorIn, _caller: Scraper) -> Response:
    """Read this process's metrics. Needs the role `viewer`, unless the service is set to open them."""
    return Response(await door.metrics.render(), media_type=CONTENT_TYPE)
