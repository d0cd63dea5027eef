"""Receives Alertmanager's webhooks: parse, commit, wake, answer. Nothing is diagnosed inside the request.

Alertmanager tries again on 5xx and on network errors only, so a broken database answers 503, never 429.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from time import time_ns

from fastapi import APIRouter, Request
from pydantic import ValidationError

from api.http_server.limits import Overloaded
from api.http_server.strict_json import parse_strictly
from api.rest.auth import Ingester
from api.rest.dependencies import Dependencies
from api.rest.openapi import answers, takes
from api.rest.openapi_examples import RECEIPT, WEBHOOK
from api.rest.problems import FieldProblem, InvalidBody, field_problems
from checkpoints.alerts.webhook_delivery import Receipt
from graph.domain.alerts.payload import AlertGroup
from tools.off_loop import answer_off_loop
from tools.text.plain_text import make_plain

log = logging.getLogger(__name__)
_SECONDS = 60
_LARGE_BYTES = 50_000  # reading it takes longer than handing it to another thread
_MOST_LOGGED = 500  # a pointer holds names that the sender chose
router = APIRouter(tags=["alerts"])
_answers = answers(
    202, "Stored; the incidents are being processed.", RECEIPT, refusals=(401, 403, 413, 422, 503)
)
_body = takes("AlertGroup", WEBHOOK)


@router.post("/v1/webhooks/alertmanager", status_code=202, responses=_answers, openapi_extra=_body)
@router.post(
    "/alert", status_code=202, responses=_answers, openapi_extra=_body, operation_id="receive_alert_as_before"
)
async def receive_alert(request: Request, dependencies: Dependencies, _caller: Ingester) -> Receipt:
    """Receive one delivery of Alertmanager (webhook version 4), or of Grafana (version 1).

    The same delivery again changes nothing. Fields that newer servers add are kept. Where an alert has no
    fingerprint, the one that Alertmanager would compute from its labels counts.
    """
    started = time_ns()
    async with dependencies.places.take(), _in_time():
        raw = await request.body()
        group = await answer_off_loop(_parse, raw) if len(raw) > _LARGE_BYTES else _parse(raw)
        receipt = await dependencies.ledger.intake.accept(group, raw)
    dependencies.metrics.note_receipt(receipt)
    if dependencies.traces:
        dependencies.traces.received(receipt.incident_ids, started)
    for incident_id in receipt.incident_ids:
        dependencies.wake(incident_id)
    return receipt


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Limit how long a slow sender can occupy a place."""
    try:
        async with asyncio.timeout(_SECONDS):
            yield
    except TimeoutError as error:
        # it may be on its way into the database: then the next attempt finds it there
        raise Overloaded(f"the delivery wasn't stored within {_SECONDS} s; send it again") from error


def _parse(raw: bytes) -> AlertGroup:
    try:
        parse_strictly(raw)  # what comes after it keeps the last of two equal keys, and takes NaN
    except ValueError as error:
        raise _refuse([FieldProblem(detail=f"not JSON: {error}")]) from error
    try:
        group = AlertGroup.model_validate_json(raw)
    except ValidationError as error:
        raise _refuse(field_problems(error)) from error
    for index, alert in enumerate(group.alerts):
        try:
            alert.starts_at.astimezone(UTC)
        except OverflowError as error:
            found = FieldProblem(detail="is outside the range of dates", pointer=f"/alerts/{index}/startsAt")
            raise _refuse([found]) from error
    return group


def _refuse(found: Sequence[FieldProblem]) -> InvalidBody:
    where = found[0].pointer or "the body"
    message = (
        f"not a webhook of Alertmanager (version 4) or Grafana (version 1): {where}: {found[0].detail}; "
        "nothing was stored"
    )
    log.warning("a delivery was refused: %s", make_plain(" ".join(message[:_MOST_LOGGED].split())))
    return InvalidBody(message, found)
