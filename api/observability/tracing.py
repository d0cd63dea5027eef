"""Traces of incidents, sent by OTLP over HTTP where an endpoint is set; else OpenTelemetry isn't loaded.

What it calls `OTEL_…` otherwise, such as headers, samplers and a service's name, its SDK reads itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tools.errors import BadInput

if TYPE_CHECKING:
    from api.observability.spans import Traces

log = logging.getLogger(__name__)
_FLUSH_SECONDS = 6.0


@asynccontextmanager
async def open_traces(endpoint: str | None) -> "AsyncIterator[Traces | None]":
    """Send traces to `endpoint` while the block runs (None: no traces). Raises `BadInput` without the SDK."""
    if endpoint is None:
        yield None
        return
    try:
        from api.observability.spans import make_traces
    except ImportError as error:
        raise BadInput(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry isn't installed: "
            "install mendgate[otel], or unset it"
        ) from error
    traces = make_traces(endpoint)
    try:
        yield traces
    finally:
        try:  # a receiver that is away mustn't keep the process from its end
            await asyncio.wait_for(asyncio.to_thread(traces.close), _FLUSH_SECONDS)
        except TimeoutError:
            log.warning("the last traces couldn't be sent in time")
