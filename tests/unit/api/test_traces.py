"""Traces are off until an endpoint is set, and then need OpenTelemetry."""

import sys

import pytest

from api.observability.tracing import open_traces
from tools.errors import BadInput


async def test_without_an_endpoint_there_are_no_traces() -> None:
    async with open_traces(None) as traces:
        assert traces is None


async def test_an_endpoint_without_opentelemetry_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "api.observability.spans", None)

    with pytest.raises(BadInput, match=r"install mendgate\[otel\]"):
        async with open_traces("http://127.0.0.1:4318"):
            pass
