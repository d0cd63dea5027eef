"""Liveness, readiness and metrics."""

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
_IN_DOUBT = "all writes are stopped: the audit or a stop was altered; see GET /v1/policy"


@router.get(
    "/healthz",
    response_model_exclude_none=True,
    responses=answers(200, "The process is alive.", HEALTH, refusals=()),
)
async def check_health() -> Health:
    """Report that the process is alive. Answers also during shutdown and without a database."""
    return Health()


@router.get(
    "/readyz",
    response_model_exclude_none=True,
    responses=answers(200, "Ready for requests.", HEALTH, refusals=(503,)),
)
async def check_readiness(dependencies: Dependencies) -> Health:
    """Report whether the service is ready: not shutting down, and its database reachable and migrated.

    Needs no token, so the answer only names the check that failed, and whether the audit stops all writes.
    """
    if dependencies.closing.is_set():
        raise Stopping("the service is shutting down: send new requests elsewhere; those in flight still end")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await dependencies.ledger.counts.require_ready()
            doubt = await dependencies.ledger.stops.doubt()
    except (DatabaseUnavailable, TimeoutError) as error:
        raise NotReady("database: not usable now; see the service's log") from error
    except SchemaMismatch as error:
        raise NotReady("migrations: the tables belong to another version; run `mendgate migrate`") from error
    return Health(note=_IN_DOUBT if doubt else None)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=answers(
        200, "Prometheus' text format.", METRICS, refusals=(401, 403, 503), media_type="text/plain"
    ),
)
async def read_metrics(dependencies: Dependencies, _caller: Scraper) -> Response:
    """Read this process's metrics. Needs the role `viewer`, unless metrics are configured as open."""
    return Response(await dependencies.metrics.render(), media_type=CONTENT_TYPE)
