"""The real Alertmanager delivers to the real service: nothing is lost in an outage, nothing doubled."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from checkpoints.db.tables import AlertRow, IncidentRow, WebhookRow
from graph.domain.incident import ACTIVE
from tests.acceptance.services import ServiceProcess
from tests.alertmanagers import RealAlertmanager
from tests.databases import query
from tools.sandbox import SCENARIOS, SandboxCluster

_DEADLINE_SECONDS = 90.0
_POLL_SECONDS = 0.2
BEGAN = datetime.now(UTC) - timedelta(minutes=10)


class Ward:
    """A service, and what its database says about alerts and incidents."""

    def __init__(self, folder: Path, sandbox: SandboxCluster, database_url: str, **environment: str) -> None:
        self._url = database_url
        reader, writer = sandbox.write_kubeconfigs(folder)
        self.service = ServiceProcess(
            folder, reader, writer, MENDGATE_DATABASE_URL=database_url, MENDGATE_PORT=str(free_port()),
            **environment,
        )  # fmt: skip
        self.token = self.service.tokens["ingest"]

    @property
    def webhook(self) -> str:
        return f"{self.service.url}/v1/webhooks/alertmanager"

    async def alerts(self) -> Counter[tuple[str, str]]:
        """Count the alerts' rows by deployment and status."""
        rows = await query(self._url, select(AlertRow.body, AlertRow.status))
        return Counter((body["labels"]["deployment"], status) for body, status in rows)

    async def runs(self) -> dict[str, int]:
        """Return how often each incident was run, by deployment; two incidents about one would fail."""
        rows = await query(self._url, select(IncidentRow.target, IncidentRow.run_epoch))
        assert len({target["name"] for target, _ in rows}) == len(rows), rows
        return {target["name"]: epoch for target, epoch in rows}

    async def all_ended(self) -> bool:
        rows = await query(self._url, select(IncidentRow.id).where(IncidentRow.status.in_(ACTIVE)))
        return not rows

    async def deliveries(self) -> int:
        return len(await query(self._url, select(WebhookRow.id)))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxCluster]:
    async with SandboxCluster() as cluster:
        await cluster.break_as(SCENARIOS["image-pull"])
        yield cluster


@pytest.fixture
async def alertmanager(tmp_path: Path, stack: AsyncExitStack) -> RealAlertmanager:
    real = RealAlertmanager(tmp_path)
    stack.push_async_callback(real.stop)
    return real


@pytest.fixture
async def ward(tmp_path: Path, sandbox: SandboxCluster, stack: AsyncExitStack, database_url: str) -> Ward:
    return await open_ward(tmp_path, sandbox, stack, database_url)


async def open_ward(
    folder: Path, sandbox: SandboxCluster, stack: AsyncExitStack, url: str, **environment: str
) -> Ward:
    ward = Ward(folder, sandbox, url, **environment)

    async def end() -> None:
        if ward.service.process:
            await ward.service.kill()

    stack.push_async_callback(end)
    await ward.service.start()
    return ward


def healing(alertmanager: RealAlertmanager) -> dict[str, str]:
    return {
        "MENDGATE_ALERTMANAGER_URL": alertmanager.url,
        "MENDGATE_ALERTMANAGER_RECEIVER": "mendgate",
        "MENDGATE_ALERTMANAGER_INTERVAL": "0.3",
        "MENDGATE_ALERTMANAGER_PATIENCE": "2",
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def until(holds: Callable[[], Awaitable[bool]], *witnesses: Callable[[], Any]) -> None:
    deadline = asyncio.get_running_loop().time() + _DEADLINE_SECONDS
    while not await holds():
        said = "\n".join(str(witness())[-3000:] for witness in witnesses)
        assert asyncio.get_running_loop().time() < deadline, said
        await asyncio.sleep(_POLL_SECONDS)


async def test_what_fires_and_ends_while_the_service_is_away_is_neither_lost_nor_doubled(
    ward: Ward, alertmanager: RealAlertmanager
) -> None:
    alertmanager.deliver_to(ward.webhook, ward.token)
    await alertmanager.start()
    await alertmanager.fire("web", "db", began=BEGAN)

    async def both_came() -> bool:
        return len(await ward.alerts()) == 2 and await ward.all_ended()

    await until(both_came, ward.service.log, alertmanager.log)
    await ward.service.kill()
    await alertmanager.fire("cart", "mail", "blip", began=BEGAN)
    await alertmanager.resolve("db", "blip")
    failed = alertmanager.log().count("connection refused")

    async def has_failed() -> bool:
        return alertmanager.log().count("connection refused") > failed

    await until(has_failed, alertmanager.log)
    await ward.service.start()

    async def all_came() -> bool:
        wanted = {("cart", "firing"), ("mail", "firing"), ("db", "resolved")}
        return wanted <= (await ward.alerts()).keys() and await ward.all_ended()

    await until(all_came, ward.service.log, alertmanager.log)
    alerts = await ward.alerts()
    alerts.pop(("blip", "resolved"), None)  # Alertmanager may tell the end of what it never told to begin
    assert alerts == {(name, "firing"): 1 for name in ("web", "db", "cart", "mail")} | {("db", "resolved"): 1}
    assert await ward.runs() == {"web": 1, "db": 1, "cart": 1, "mail": 1}


async def fire_and_resolve(ward: Ward, alertmanager: RealAlertmanager) -> None:
    """Let an alert fire until a fix is proposed, and resolve it; return once the ledger knows."""
    await alertmanager.start()
    await alertmanager.fire("nginx-deployment", began=BEGAN, namespace="default")

    async def is_proposed() -> bool:
        answer = await ward.service.request("GET", "/v1/approvals?status=pending")
        return len(answer.json()["items"]) == 1

    await until(is_proposed, ward.service.log, alertmanager.log)
    await alertmanager.resolve("nginx-deployment", namespace="default")

    async def has_ended() -> bool:
        return ("nginx-deployment", "resolved") in await ward.alerts()

    await until(has_ended, ward.service.log, alertmanager.log)


async def test_resolved_alerts_join_their_incident(ward: Ward, alertmanager: RealAlertmanager) -> None:
    alertmanager.deliver_to(ward.webhook, ward.token)
    await fire_and_resolve(ward, alertmanager)
    assert list((await ward.runs()).keys()) == ["nginx-deployment"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_token_stores_nothing_and_alertmanager_says_so(
    ward: Ward, alertmanager: RealAlertmanager
) -> None:
    alertmanager.deliver_to(ward.webhook, "mg_this-is-not-the-token-of-anybody")
    await alertmanager.start()
    await alertmanager.fire("web", began=BEGAN)

    async def is_told() -> bool:
        return alertmanager.log().count("unexpected status code 401") > 2  # it tries each group_interval

    await until(is_told, alertmanager.log)
    assert await ward.deliveries() == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_two_alertmanagers_that_tell_the_same_open_one_incident_each(
    ward: Ward, alertmanager: RealAlertmanager, tmp_path: Path, stack: AsyncExitStack
) -> None:
    other = RealAlertmanager(tmp_path, "other")
    stack.push_async_callback(other.stop)
    for one in (alertmanager, other):
        one.deliver_to(ward.webhook, ward.token)
        await one.start()
    for one in (alertmanager, other):
        await one.fire("web", "db", began=BEGAN)

    async def both_told() -> bool:
        return await ward.deliveries() >= 2 and await ward.all_ended()

    await until(both_told, ward.service.log, alertmanager.log, other.log)
    assert await ward.alerts() == {("web", "firing"): 1, ("db", "firing"): 1}
    assert await ward.runs() == {"web": 1, "db": 1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_alerts_that_alertmanager_cuts_off_or_may_not_deliver_are_healed(
    sandbox: SandboxCluster,
    tmp_path: Path,
    stack: AsyncExitStack,
    alertmanager: RealAlertmanager,
    database_url: str,
) -> None:
    ward = await open_ward(tmp_path, sandbox, stack, database_url, **healing(alertmanager))
    alertmanager.deliver_to(ward.webhook, ward.token, max_alerts=1)
    await alertmanager.start()
    await alertmanager.silence("quiet")
    began = BEGAN + timedelta(microseconds=123)  # the webhook tells it, the API doesn't
    await alertmanager.fire("web", "db", "cart", "quiet", began=began)

    async def all_came() -> bool:
        return len(await ward.alerts()) == 3 and await ward.all_ended()

    await until(all_came, ward.service.log, alertmanager.log)
    assert "healed" in ward.service.log()
    assert await ward.alerts() == {(name, "firing"): 1 for name in ("web", "db", "cart")}
    assert await ward.runs() == {"web": 1, "db": 1, "cart": 1}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_end_that_alertmanager_never_tells_is_healed(
    sandbox: SandboxCluster,
    tmp_path: Path,
    stack: AsyncExitStack,
    alertmanager: RealAlertmanager,
    database_url: str,
) -> None:
    ward = await open_ward(tmp_path, sandbox, stack, database_url, **healing(alertmanager))
    alertmanager.deliver_to(ward.webhook, ward.token, send_resolved=False)
    await fire_and_resolve(ward, alertmanager)
    assert await ward.alerts() == {("nginx-deployment", status): 1 for status in ("firing", "resolved")}
