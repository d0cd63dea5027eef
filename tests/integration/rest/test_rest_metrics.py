"""Metrics over HTTP: who may read them, what they count, and what they never name."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.observability.gauges import Gauges
from api.serving.app import create_app
from checkpoints.db.errors import DatabaseUnavailable
from graph.domain.incident import Verification
from tests.integration.rest.gate import Clock
from tests.integration.rest.rest_service import SEED, RestService, open_rest_service
from tools.grants import Outcome

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class Work:
    """Somebody at work on three runs."""

    at_work = 3

    async def waiting(self) -> int:
        return 2


@pytest.fixture
async def measured(tmp_path: Path, database_url: str) -> AsyncIterator[RestService]:
    """Open a house whose ledger tells its metrics what was committed, and is looked at for them."""
    async with open_rest_service(tmp_path, database_url) as rest_service:
        gauges = Gauges(rest_service.ledger.counts, Work(), Clock())
        rest_service.dependencies.metrics.watch(gauges, gauges.refresh)
        yield rest_service


def read(text: str) -> Series:
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


async def scrape(rest_service: RestService) -> Series:
    answer = await rest_service.client.get("/metrics", headers=rest_service.as_("viewer"))
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def value(series: Series, name: str, **labels: str) -> float:
    return series.get((f"mendgate_{name}", frozenset(labels.items())), 0.0)


async def test_metrics_can_be_opened_to_everybody(rest_service: RestService) -> None:
    closed = await rest_service.client.get("/metrics")
    rest_service.app.state.dependencies = replace(rest_service.dependencies, open_metrics=True)

    opened = await rest_service.client.get("/metrics")
    others = await rest_service.client.get("/v1/incidents")

    assert (closed.status_code, opened.status_code, others.status_code) == (401, 200, 401)
    assert opened.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_two_services_in_one_process_count_for_themselves(
    rest_service: RestService, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    await rest_service.client.get("/v1/me")
    async with open_rest_service(tmp_path / "other") as other:
        series = await scrape(other)

    assert not any(name.startswith("mendgate_http_requests") for name, _ in series)


async def test_a_proposal_and_what_becomes_of_it_are_counted_and_timed(measured: RestService) -> None:
    first, second = await measured.propose(), await measured.propose()
    incident_id, epoch = first.incident_id, 1
    decide, ledger = measured.ledger.decisions.decide, measured.ledger
    await decide(first.id, by="alice", verdict="approve", digest=first.digest, reason="")
    await decide(second.id, by="bob", verdict="reject", digest=second.digest, reason="no")
    await ledger.approvals.claim(first.id, first.digest, epoch)
    await ledger.approvals.record_outcome(first.id, epoch, Outcome(kind="applied", detail=""))
    await ledger.incidents.set_verification(incident_id, epoch, verified())

    series = await scrape(measured)

    assert value(series, "proposals_total") == 2
    assert value(series, "decisions_total", verdict="approve") == 1
    assert value(series, "decisions_total", verdict="reject") == 1
    assert value(series, "executions_total", outcome="applied") == 1
    assert value(series, "verdicts_total", verdict="verified") == 1
    assert value(series, "time_to_proposal_seconds_count") == 2
    assert value(series, "time_to_decision_seconds_count") == 2
    assert value(series, "time_to_verified_seconds_count") == 1


async def test_what_was_rolled_back_is_not_counted(measured: RestService) -> None:
    proposal = await measured.propose()
    before = await scrape(measured)

    with pytest.raises(Exception, match="digest"):
        await measured.ledger.decisions.decide(
            proposal.id, by="alice", verdict="approve", digest="0" * 64, reason=""
        )

    assert value(await scrape(measured), "decisions_total", verdict="approve") == 0
    assert value(before, "proposals_total") == 1


async def test_the_ledger_is_shown_in_numbers(measured: RestService) -> None:
    await measured.propose()
    await measured.open_incident()
    await measured.ledger.stops.set_kill_switch(engaged=True, by="root", reason="drill")

    series = await scrape(measured)

    assert value(series, "ledger_up") == 1
    assert value(series, "incidents", status="open") == 1
    assert value(series, "incidents", status="awaiting_approval") == 1
    assert ("mendgate_incidents", frozenset({("status", "resolved")})) in series
    assert value(series, "approvals_pending") == 1
    assert value(series, "approvals_oldest_pending_seconds") > 0
    assert value(series, "kill_switch") == 1
    assert value(series, "audit_rows") > 0
    assert (value(series, "runs_at_work"), value(series, "queue_depth")) == (3, 2)


async def test_a_ledger_that_is_away_is_told_and_the_rest_still_shown(
    rest_service: RestService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise DatabaseUnavailable("gone")

    gauges = Gauges(rest_service.ledger.counts, Work(), Clock())
    rest_service.dependencies.metrics.watch(gauges, gauges.refresh)
    monkeypatch.setattr(rest_service.ledger.counts, "census", fail)

    series = await scrape(rest_service)

    assert ("mendgate_ledger_up", frozenset()) in series
    assert value(series, "ledger_up") == 0
    assert ("mendgate_approvals_pending", frozenset()) not in series
    assert value(series, "build_info", **_build(series)) == 1


async def test_many_scrapes_at_once_are_one_look_at_the_ledger(rest_service: RestService) -> None:
    looks, clock, counts = 0, Clock(), rest_service.ledger.counts
    census = counts.census

    class Counted:
        async def census(self) -> object:
            nonlocal looks
            looks += 1
            return await census()

    gauges = Gauges(Counted(), Work(), clock)  # type: ignore[arg-type]  # all that is asked of it
    await asyncio.gather(*(gauges.refresh() for _ in range(20)))
    soon = looks
    clock.now += 11
    await gauges.refresh()

    assert (soon, looks) == (1, 2)


async def test_deliveries_are_counted_by_what_became_of_them(measured: RestService) -> None:
    post, url = measured.client.post, "/v1/webhooks/alertmanager"
    await post(url, content=SEED.read_bytes(), headers=measured.as_("ingest"))
    await post(url, content=SEED.read_bytes(), headers=measured.as_("ingest"))
    await post("/alert", content=b"{", headers=measured.as_("ingest"))
    await post(url, content=SEED.read_bytes())
    await post(url, content=SEED.read_bytes(), headers=measured.as_("viewer"))

    series = await scrape(measured)

    assert value(series, "webhook_bodies_total", outcome="taken") == 2
    assert value(series, "webhook_bodies_total", outcome="invalid") == 1
    assert value(series, "webhook_bodies_total", outcome="not_let_in") == 2
    assert value(series, "webhook_alerts_total", kind="new") == value(
        series, "webhook_alerts_total", kind="known"
    )


async def test_requests_are_counted_by_the_route_and_never_by_the_path(measured: RestService) -> None:
    proposal = await measured.propose()
    await measured.client.get(f"/v1/incidents/{proposal.incident_id}", headers=measured.as_("viewer"))
    for path in ("/nowhere-1", "/nowhere-2", "/v1/incidents/inc-unknown"):
        await measured.client.get(path, headers=measured.as_("viewer"))
    await measured.client.request("BREW", "/v1/me", headers=measured.as_("viewer"))
    await measured.client.get("/v1/me", headers={"Host": "evil.example"})

    text = (await measured.client.get("/metrics", headers=measured.as_("viewer"))).text
    series = read(text)

    route = "/v1/incidents/{incident_id}"
    assert value(series, "http_requests_total", method="GET", route=route, code="200") == 1
    assert value(series, "http_requests_total", method="GET", route=route, code="404") == 1
    assert value(series, "http_requests_total", method="GET", route="none", code="404") == 2
    assert value(series, "http_requests_total", method="GET", route="none", code="400") == 1
    for word in ("inc-", "apr-", "nowhere", "BREW", "evil", "nginx", "default", "KubePod"):
        assert word not in text, word


async def test_a_server_that_makes_names_up_does_not_make_series_without_end(
    rest_service: RestService,
) -> None:
    for number in range(500):
        rest_service.dependencies.metrics.note_tool(f"tool-{number}", "answered", 0.1)

    series = await scrape(rest_service)

    tools = {dict(labels)["tool"] for name, labels in series if name == "mendgate_tool_calls_total"}
    assert len(tools) == 51
    assert value(series, "tool_calls_total", tool="other", outcome="answered") == 450


async def test_the_audit_is_shown_as_it_stood_when_it_was_last_verified(measured: RestService) -> None:
    before = await scrape(measured)
    await measured.client.get("/v1/audit/verify", headers=measured.as_("alice"))

    after = await scrape(measured)

    assert ("mendgate_audit_intact", frozenset()) not in before
    assert value(after, "audit_intact") == 1


def test_the_app_counts_for_its_own_door_alone(rest_service: RestService) -> None:
    assert (
        create_app(rest_service.dependencies).state.dependencies.metrics is rest_service.dependencies.metrics
    )


def verified() -> Verification:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    return Verification(
        verdict="verified", reason="all held", checks=(), started_at=now, ended_at=now,
        stable_seconds=60, looks=3,
    )  # fmt: skip


def _build(series: Series) -> dict[str, str]:
    return next(dict(labels) for name, labels in series if name == "mendgate_build_info")
