"""Reconciling with Alertmanager: missed alerts come in, ended ones end, and doubt resolves nothing."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.responses import PlainTextResponse, RedirectResponse

from api.workers.alert_reconciler import Reconciler, ReconcilerSettings
from checkpoints.db.tables import AlertRow
from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from tests.alertmanagers import SayingAlertmanager
from tests.databases import query
from tools.http_client.alertmanager import Alertmanager, Credential

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PATIENCE = timedelta(minutes=5)
LONG_AGO = NOW - timedelta(hours=1)
JUST_NOW = NOW - timedelta(seconds=20)


@dataclass
class Watch:
    """A reconciler over a real ledger, whose clock a test sets."""

    reconciler: Reconciler
    ledger: Ledger
    woken: list[str]
    now: list[datetime]
    url: str
    seen: dict[str, int] = field(default_factory=dict)

    async def look(self, times: int = 1, *, apart: timedelta = timedelta(minutes=2)) -> None:
        """Reconcile some times, with minutes between."""
        for _ in range(times):
            await self.reconciler.reconcile()
            self.now[0] += apart

    async def alerts(self) -> list[tuple[str, str]]:
        """Return which alerts the ledger holds, and as what."""
        rows = await query(self.url, select(AlertRow.fingerprint, AlertRow.status))
        return sorted((str(name), str(status)) for name, status in rows)

    async def deliver(self, said: SayingAlertmanager, *names: str, status: str = "firing") -> None:
        """Deliver alerts as the webhook does, to the microsecond."""
        alerts = [as_delivered(said.alerts[name], status) for name in names]
        group = AlertGroup.model_validate(
            {"version": "4", "groupKey": "{}", "status": status, "receiver": "mendgate", "alerts": alerts}
        )
        await self.ledger.intake.accept(group, b"{}")


def as_delivered(listed: dict[str, Any], status: str) -> dict[str, Any]:
    return listed | {"status": status, "startsAt": listed["startsAt"].replace("Z", "789Z")}


@asynccontextmanager
async def watching(
    ledger: Ledger, url: str, *apps: SayingAlertmanager, receiver: str | None = None
) -> AsyncIterator[Watch]:
    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(app)) for app in apps]
    alertmanagers = [
        Alertmanager(f"http://alertmanager-{number}:9093/", client, Credential())
        for number, client in enumerate(clients)
    ]
    woken: list[str] = []
    now = [NOW]
    terms = ReconcilerSettings(receiver, PATIENCE, timedelta(minutes=1))
    reconciler = Reconciler(alertmanagers, ledger, woken.append, terms, clock=lambda: now[0])
    try:
        yield Watch(reconciler, ledger, woken, now, url)
    finally:
        for client in clients:
            await client.aclose()


@pytest.fixture
def said() -> SayingAlertmanager:
    return SayingAlertmanager()


@pytest.fixture
async def watch(ledger: Ledger, database_url: str, said: SayingAlertmanager) -> AsyncIterator[Watch]:
    async with watching(ledger, database_url, said) as opened:
        yield opened


async def statuses(ledger: Ledger) -> Sequence[str]:
    return [incident.status for incident in (await ledger.incidents.page()).items]


async def test_an_alert_that_was_never_delivered_is_taken_in_once_and_its_run_is_woken(
    watch: Watch, said: SayingAlertmanager
) -> None:
    said.fire("web", LONG_AGO)

    await watch.look(3)

    assert await watch.alerts() == [("web", "firing")]
    (incident,) = (await watch.ledger.incidents.page()).items
    assert str(incident.target) == "Deployment/web in shop"
    assert watch.woken == [incident.id]


async def test_a_delivered_alert_is_the_listed_one_although_its_beginning_is_told_more_finely(
    watch: Watch, said: SayingAlertmanager
) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")

    await watch.look(2)

    assert await watch.alerts() == [("web", "firing")]


async def test_a_delivery_after_the_healing_changes_nothing(watch: Watch, said: SayingAlertmanager) -> None:
    said.fire("web", LONG_AGO)
    await watch.look()

    await watch.deliver(said, "web")

    assert await watch.alerts() == [("web", "firing")]
    assert len(await statuses(watch.ledger)) == 1


async def test_an_alert_that_alertmanager_is_about_to_deliver_is_left_to_it(
    watch: Watch, said: SayingAlertmanager
) -> None:
    said.fire("web", JUST_NOW)

    await watch.look(2)
    early = await watch.alerts()
    await watch.look(2)

    assert early == []
    assert await watch.alerts() == [("web", "firing")]


async def test_a_beginning_that_moves_earlier_is_no_new_alert(watch: Watch, said: SayingAlertmanager) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    said.fire("web", LONG_AGO - timedelta(minutes=3))

    await watch.look(2)

    assert await watch.alerts() == [("web", "firing")]


async def test_an_alert_that_fires_again_is_taken_in_again(watch: Watch, said: SayingAlertmanager) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    await watch.deliver(said, "web", status="resolved")
    said.fire("web", LONG_AGO + timedelta(minutes=30))

    await watch.look()

    assert await watch.alerts() == [("web", "firing"), ("web", "firing"), ("web", "resolved")]


@pytest.mark.parametrize("state", ["suppressed", "unprocessed"])
async def test_what_alertmanager_would_not_deliver_is_neither_taken_in_nor_resolved(
    watch: Watch, said: SayingAlertmanager, state: str
) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    said.fire("web", LONG_AGO, state=state)
    said.fire("db", LONG_AGO, state=state)

    await watch.look(6)

    assert await watch.alerts() == [("web", "firing")]


async def test_only_alerts_for_our_receiver_are_taken_in_but_one_for_another_still_fires(
    ledger: Ledger, database_url: str, said: SayingAlertmanager
) -> None:
    async with watching(ledger, database_url, said, receiver="mendgate") as watch:
        said.fire("web", LONG_AGO)
        await watch.deliver(said, "web")
        for name in ("web", "db"):  # as after an edit of Alertmanager's configuration
            said.fire(name, LONG_AGO, receiver="pagers")

        await watch.look(6)

        assert await watch.alerts() == [("web", "firing")]


async def test_an_alert_that_stays_absent_is_resolved_once(watch: Watch, said: SayingAlertmanager) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    said.alerts.clear()

    await watch.look(3)
    early = await watch.alerts()
    await watch.look(4)

    assert early == [("web", "firing")]
    assert await watch.alerts() == [("web", "firing"), ("web", "resolved")]


async def test_two_looks_however_far_apart_resolve_nothing(watch: Watch, said: SayingAlertmanager) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    said.alerts.clear()
    await watch.look()  # the first one only learns since when it has been running

    await watch.look(2, apart=timedelta(hours=1))

    assert await watch.alerts() == [("web", "firing")]


async def test_an_alert_that_is_seen_in_between_begins_its_absence_anew(
    watch: Watch, said: SayingAlertmanager
) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    listed = dict(said.alerts)

    for _ in range(4):
        said.alerts = {}
        await watch.look(3)
        said.alerts = dict(listed)
        await watch.look()

    assert await watch.alerts() == [("web", "firing")]


async def test_an_alertmanager_that_was_restarted_has_time_to_learn_what_fires(
    watch: Watch, said: SayingAlertmanager
) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    await watch.look(3)

    said.alerts.clear()
    for _ in range(4):  # it crashes again and again
        said.started = watch.now[0]
        await watch.look(4)

    assert await watch.alerts() == [("web", "firing")]
    await watch.look(6)  # now it stays
    assert await watch.alerts() == [("web", "firing"), ("web", "resolved")]


async def test_nothing_is_resolved_while_one_of_several_cannot_be_asked(
    ledger: Ledger, database_url: str, said: SayingAlertmanager
) -> None:
    other = SayingAlertmanager(broken=PlainTextResponse("no", 503))
    async with watching(ledger, database_url, said, other) as watch:
        said.fire("web", LONG_AGO)
        await watch.deliver(said, "web")
        said.alerts.clear()
        said.fire("db", LONG_AGO)

        await watch.look(8)
        before = await watch.alerts()
        other.broken = None
        await watch.look(8)

        assert before == [("db", "firing"), ("web", "firing")]  # what fires comes in all the same
        assert await watch.alerts() == [("db", "firing"), ("web", "firing"), ("web", "resolved")]


async def test_what_one_of_several_lists_fires(
    ledger: Ledger, database_url: str, said: SayingAlertmanager
) -> None:
    other = SayingAlertmanager()
    async with watching(ledger, database_url, said, other) as watch:
        other.fire("web", LONG_AGO)

        await watch.look(6)

        assert await watch.alerts() == [("web", "firing")]


async def test_an_alert_of_an_incident_that_has_ended_needs_no_end(
    watch: Watch, said: SayingAlertmanager
) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    (incident,) = (await watch.ledger.incidents.page()).items
    epoch = await watch.ledger.incidents.begin_run(incident.id)
    await watch.ledger.incidents.fail(incident.id, epoch, "as tested")
    said.alerts.clear()

    await watch.look(6)

    assert await watch.alerts() == [("web", "firing")]


async def test_two_replicas_heal_as_one_does(
    ledger: Ledger, database_url: str, said: SayingAlertmanager
) -> None:
    async with watching(ledger, database_url, said) as one, watching(ledger, database_url, said) as two:
        said.fire("web", LONG_AGO)
        await one.look()
        await two.look()
        said.alerts.clear()
        for _ in range(6):
            await one.look()
            await two.look()

        assert await one.alerts() == [("web", "firing"), ("web", "resolved")]
        assert len(await statuses(ledger)) == 1


async def test_a_thousand_missed_alerts_are_taken_in(watch: Watch, said: SayingAlertmanager) -> None:
    for number in range(1000):
        said.fire(f"web-{number:04}", LONG_AGO)

    await watch.look(2)

    assert len(await watch.alerts()) == 1000


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_unreachable_and_back_are_each_said_once(
    watch: Watch, said: SayingAlertmanager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said.broken = PlainTextResponse("sign in first", 401)
    answered = [await watch.reconciler.reconcile() for _ in range(3)]
    said.broken = None
    answered += [await watch.reconciler.reconcile() for _ in range(2)]

    assert answered == [False, False, False, True, True]
    first, last = [
        record.message for record in caplog.records if record.name == "api.workers.alert_reconciler"
    ]
    assert "answers 401: give its credential by MENDGATE_ALERTMANAGER_SECRET" in first
    assert last == "Alertmanager at http://alertmanager-0:9093 answers again"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "broken",
    [
        RedirectResponse("http://elsewhere.example/"),
        PlainTextResponse("<html>welcome</html>"),
        PlainTextResponse('{"uptime": "yesterday"}'),
        PlainTextResponse("[" * 100_000),
        PlainTextResponse("x" * (17 * 1024 * 1024)),
    ],
    ids=["a redirect", "a web page", "another API", "a deep nest", "too much"],
)
async def test_an_answer_that_cannot_be_used_is_no_answer(
    watch: Watch, said: SayingAlertmanager, broken: PlainTextResponse
) -> None:
    said.fire("web", LONG_AGO)
    await watch.deliver(said, "web")
    said.alerts.clear()
    await watch.look(2)
    said.broken = broken

    assert [await watch.reconciler.reconcile() for _ in range(3)] == [False, False, False]
    assert await watch.alerts() == [("web", "firing")]
    assert {request.url.hostname for request in said.asked} == {"alertmanager-0"}
