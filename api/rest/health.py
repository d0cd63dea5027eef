"""Whether the process lives, whether it may be sent requests, and what Prometheus is told."""

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from api.observability.metrics import CONTENT_TYPE
from api.rest.auth import Scraper
from api.rest.dependencies import Dependencies
from api.rest.openapi import answers
from api.rest.openapi_examples import HEALTH, METRICS
from api.rest.problems import NotReady, Stopping
from api.rest.schemas import Health
from checkpoints.db.errors import DatabaseUnavailable, SchemaMismatch

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
async def check_readiness(dependencies: Dependencies) -> Health:
    """Tell whether requests should be sent here: it isn't stopping, and the database and its tables are fit.

    Needs no token; which check failed is all that it says, and whether the audit stops all writes.
    """
    if dependencies.closing.is_set():
        raise Stopping("the service is stopping; requests are answered until it has")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await dependencies.ledger.counts.require_ready()
            doubt = await dependencies.ledger.stops.doubt()
    except (DatabaseUnavailable, TimeoutError) as error:
        raise NotReady("database: it can't be used now; the service's log says more") from error
    except SchemaMismatch as error:
        raise NotReady("migrations: the tables aren't this version's; run `mendgate migrate`") from error
    return Health(note=_IN_DOUBT if doubt else None)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=answers(
        200, "Prometheus' text format.", METRICS, refusals=(401, 403, 503), media_type="text/plain"
    ),
)
async def read_metrics(dependencies: Dependencies, _caller: Scraper) -> Response:
    """Read this process's metrics. Needs the role `viewer`, unless the service is set to open them."""
    return Response(await dependencies.metrics.render(), media_type=CONTENT_TYPE)
