"""What Prometheus is told about this process; docs/observability.md lists it.

Labels come from closed sets: an incident's id, an alert's name or a namespace would make a series each. The
registry is the service's own, so that two services in one process (tests) don't add up.
"""

import sys
from collections.abc import Awaitable, Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

from api.config.version import find_version
from checkpoints.alerts.webhook_delivery import Receipt
from checkpoints.timeline.after_commit import Milestone

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MINUTES = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
_HOURS = (*_MINUTES[4:], 7200.0, 14400.0, 28800.0, 86400.0)
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_MOST_TOOLS = 50
_PEOPLE_SAY = frozenset({"approve", "reject", "edit"})


class Metrics:
    """Counts what it is told, and shows it."""

    def __init__(self) -> None:
        # Else a second series stands beside each; the library has this switch for the whole process alone.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self._registry = CollectorRegistry()
        self._refreshers: list[Callable[[], Awaitable[None]]] = []
        self._tools: set[str] = set()
        self._build = self._gauge("build_info", "Always 1; the labels tell what runs.", "version", "python")
        self._build.labels(find_version(), ".".join(map(str, sys.version_info[:3]))).set(1)
        self._tell_of_incidents()
        self._tell_of_calls()
        self._tell_of_traffic()

    def _tell_of_incidents(self) -> None:
        self._proposals = self._counter("proposals", "Proposals stored.")
        self._decisions = self._counter("decisions", "What was said about approvals.", "verdict")
        self._executions = self._counter("executions", "How executions ended.", "outcome")
        self._refused = self._counter("claims_refused", "Executions that the claim turned away.")
        self._verdicts = self._counter("verdicts", "Verdicts of verifications.", "verdict")
        self._ended = self._counter("incidents_ended", "Incidents whose report was written.", "status")
        self._to_proposal = self._histogram(
            "time_to_proposal_seconds", "From an incident's opening to each of its proposals.", _MINUTES
        )
        self._to_decision = self._histogram(
            "time_to_decision_seconds", "From a proposal to what a person says about it.", _HOURS
        )
        self._to_verified = self._histogram(
            "time_to_verified_seconds", "From an incident's opening to a verified fix.", _HOURS
        )

    def _tell_of_calls(self) -> None:
        self._tool_calls = self._counter("tool_calls", "Calls of MCP tools in runs.", "tool", "outcome")
        self._tool_seconds = self._histogram("tool_seconds", "How long a tool took.", _SECONDS, "tool")
        self._model_calls = self._counter("model_calls", "Questions to the language model.", "outcome")
        self._model_seconds = self._histogram("model_seconds", "How long an answer took.", _SECONDS)
        self._tokens = self._counter("model_tokens", "Tokens, as the endpoint counts them.", "direction")

    def _tell_of_traffic(self) -> None:
        self._bodies = self._counter("webhook_bodies", "Deliveries of Alertmanager.", "outcome")
        self._alerts = self._counter("webhook_alerts", "Alerts in what was taken.", "kind")
        self._requests = self._counter("http_requests", "Requests answered.", "method", "route", "code")
        self._http_seconds = self._histogram(
            "http_request_seconds", "Until an answer begins.", _SECONDS, "method", "route"
        )
        self._lines = self._counter("log_lines", "Lines of the log that tell of trouble.", "level", "room")
        self._intact: Gauge | None = None

    def watch(self, collector: Collector, refresh: Callable[[], Awaitable[None]]) -> None:
        """Show what a collector has, too, after it was refreshed."""
        self._registry.register(collector)
        self._refreshers.append(refresh)

    async def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        for refresh in self._refreshers:
            await refresh()
        return generate_latest(self._registry)

    def note(self, milestone: Milestone) -> None:
        """Count something that was committed about an incident."""
        match milestone.kind:
            case "proposed":
                self._proposals.inc()
                _observe(self._to_proposal, milestone)
            case "decided":
                self._decisions.labels(milestone.word).inc()
                if milestone.word in _PEOPLE_SAY:
                    _observe(self._to_decision, milestone)
            case "applied":
                self._executions.labels(milestone.word).inc()
            case "verdict":
                self._verdicts.labels(milestone.word).inc()
                if milestone.word == "verified":
                    _observe(self._to_verified, milestone)
            case "ended":
                self._ended.labels(milestone.word).inc()

    def note_refused_claim(self) -> None:
        """Count an execution that didn't take place."""
        self._refused.inc()

    def note_tool(self, tool: str, outcome: str, seconds: float) -> None:
        """Count a call of a tool. Other people's servers choose names: beyond some they count as `other`."""
        if tool not in self._tools and len(self._tools) >= _MOST_TOOLS:
            tool = "other"
        self._tools.add(tool)
        self._tool_calls.labels(tool, outcome).inc()
        self._tool_seconds.labels(tool).observe(seconds)

    def note_model(self, outcome: str, seconds: float) -> None:
        """Count a question to the model."""
        self._model_calls.labels(outcome).inc()
        self._model_seconds.observe(seconds)

    def note_tokens(self, tokens_in: int, tokens_out: int) -> None:
        """Count what a question and its answer cost."""
        self._tokens.labels("in").inc(tokens_in)
        self._tokens.labels("out").inc(tokens_out)

    def note_request(self, method: str, route: str, code: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, str(code)).inc()
        self._http_seconds.labels(method, route).observe(seconds)

    def note_body(self, outcome: str) -> None:
        """Count a delivery, whatever became of it."""
        self._bodies.labels(outcome).inc()

    def note_receipt(self, receipt: Receipt) -> None:
        """Count the alerts of a delivery that was taken."""
        self._alerts.labels("new").inc(receipt.new_alerts)
        self._alerts.labels("known").inc(receipt.known_alerts)

    def note_line(self, level: str, room: str) -> None:
        """Count a line of the log."""
        self._lines.labels(level, room).inc()

    def note_audit(self, intact: bool) -> None:
        """Remember how the audit stood when it was last verified; before that nothing is shown."""
        if self._intact is None:
            self._intact = self._gauge("audit_intact", "Whether the audit was intact when last verified.")
        self._intact.set(intact)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"mendgate_{name}", about, labels, registry=self._registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"mendgate_{name}", about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mendgate_{name}", about, labels, registry=self._registry, buckets=buckets)


def _observe(histogram: Histogram, milestone: Milestone) -> None:
    if milestone.seconds is not None:
        histogram.observe(max(0.0, milestone.seconds))  # clocks of two replicas may differ
