"""The spans of incidents. This module loads OpenTelemetry's SDK: import it where traces are on.

An incident may pause for hours and go on in another process. So its trace's id is made from its own id: each
delivery and each run is a root of that trace. Spans carry the incident's id, a node's or tool's name and what
came of it; never arguments, answers, prompts or messages of errors.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, set_span_in_context

from api.config.version import find_version

_SEND_SECONDS = 3.0


class IncidentIds(RandomIdGenerator):
    """Ids of spans at random, and of traces from an incident's while one is named."""

    def __init__(self) -> None:
        self._incident_id = ""

    @contextmanager
    def of(self, incident_id: str) -> Iterator[None]:
        """Make ids of the incident's trace while the block runs, which must await nothing."""
        self._incident_id = incident_id
        try:
            yield
        finally:
            self._incident_id = ""

    def generate_trace_id(self) -> int:
        """Return the first 16 bytes of the SHA-256 of the incident's id."""
        if not self._incident_id:
            return super().generate_trace_id()
        return int.from_bytes(hashlib.sha256(self._incident_id.encode()).digest()[:16], "big")


class Traces:
    """Begins spans."""

    def __init__(self, provider: TracerProvider, ids: IncidentIds) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("mendgate", find_version())
        self._ids = ids

    def received(self, incident_ids: Iterable[str], started_ns: int) -> None:
        """Note a delivery that led to incidents; `started_ns` is when it came (nanoseconds since 1970)."""
        for incident_id in incident_ids:
            self.begin_root("webhook", incident_id, started_ns).end()

    def begin_root(self, name: str, incident_id: str, started_ns: int | None = None) -> Span:
        """Begin a root span of the incident's trace."""
        with self._ids.of(incident_id):
            return self._tracer.start_span(
                name, Context(), attributes={"mendgate.incident": incident_id}, start_time=started_ns
            )

    def begin_child(self, name: str, parent: Span, attributes: Mapping[str, str]) -> Span:
        """Begin a span below another one."""
        context = set_span_in_context(parent, Context())
        return self._tracer.start_span(name, context, attributes=attributes)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def make_traces(endpoint: str) -> Traces:
    """Return traces that are sent to an OTLP receiver's base URL, in a thread of its own."""
    ids = IncidentIds()
    ours = Resource({"service.name": "mendgate", "service.version": find_version()})
    provider = TracerProvider(
        resource=ours.merge(OTELResourceDetector().detect()), id_generator=ids, shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_SEND_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, ids)
