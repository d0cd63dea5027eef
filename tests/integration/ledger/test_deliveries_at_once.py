"""Deliveries that come at once share a transaction, and come out as if each had come alone."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import func, select, text

from checkpoints.alerts.webhook_delivery import Receipt
from checkpoints.db.errors import DatabaseUnavailable
from checkpoints.db.tables import AlertRow, AlertStateRow, EntryRow, IncidentRow, WebhookRow
from checkpoints.ledger import Ledger, open_ledger
from graph.domain.alerts.payload import AlertGroup
from tests.databases import query
from tests.integration.rest.rest_service import RestService, open_rest_service
from tests.unit.graph.domain.test_alerts_and_targets import real_body

PATH = "/v1/webhooks/alertmanager"
INTAKE = 7_210_002
DISCONNECT_WHO_WAITS = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)


def about(workload: str, *fingerprints: str, **changes: Any) -> AlertGroup:
    """Return a delivery with an alert for each fingerprint, all about one Deployment."""
    body = real_body()
    one = body["alerts"][0]
    labels = one["labels"] | {"pod": f"{workload}-85c88b48cd-6kmxz"}
    body["alerts"] = [one | {"labels": labels, "fingerprint": each} | changes for each in fingerprints]
    return AlertGroup.model_validate(body)


async def deliver(ledger: Ledger, *groups: AlertGroup) -> list[Any]:
    return await asyncio.gather(
        *(ledger.intake.accept(group, b"{}") for group in groups), return_exceptions=True
    )


async def count(url: str, table: type[Any]) -> int:
    ((number,),) = await query(url, select(func.count()).select_from(table))
    return int(number)


async def test_one_delivery_many_times_at_once_is_taken_once(ledger: Ledger, database_url: str) -> None:
    receipts = await deliver(ledger, *[about("web", "a", "b")] * 20)

    (incident_id,) = {incident_id for receipt in receipts for incident_id in receipt.incident_ids}
    assert sorted(receipt.new_alerts for receipt in receipts) == [0] * 19 + [2]
    assert [entry.kind for entry in await ledger.incidents.entries(incident_id)] == ["alert_received"]
    assert await count(database_url, WebhookRow) == 20


async def test_two_deliveries_about_one_target_open_one_incident(ledger: Ledger) -> None:
    one, other = await deliver(ledger, about("web", "a"), about("web", "b"))

    assert one.incident_ids == other.incident_ids
    entries = await ledger.incidents.entries(one.incident_ids[0])
    assert [(entry.kind, entry.data.get("fingerprint")) for entry in entries] == [
        ("alert_received", None),
        ("alert_attached", "b"),
    ]


async def test_what_comes_at_once_comes_out_as_one_after_the_other(ledger: Ledger, tmp_path: Path) -> None:
    resolved = {"status": "resolved", "endsAt": "2025-06-04T08:00:00Z"}
    groups = [
        about("early", "x", **resolved),
        about("web", "a", "b"),
        about("web", "a", **resolved),
        about("shop", "c"),
        about("web", "a"),
        about("web", "b", startsAt="2025-06-01T00:00:00Z"),
        about("shop", "c", **resolved),
        about("shop", "c", startsAt="2025-06-05T00:00:00Z"),
        about("early", "x"),
    ]
    together = await describe(ledger, await deliver(ledger, *groups))

    async with open_ledger(f"sqlite+aiosqlite:///{tmp_path}/alone.db") as alone:
        receipts = [await alone.intake.accept(group, b"{}") for group in groups]
        one_by_one = await describe(alone, receipts)

    assert together == one_by_one


async def describe(ledger: Ledger, receipts: Sequence[Receipt]) -> Any:
    """Return what became of deliveries; incidents have a number in the place of their ids."""
    ids = list(dict.fromkeys(one for receipt in receipts for one in receipt.incident_ids))
    answers = [
        (list(map(ids.index, receipt.incident_ids)), receipt.new_alerts, receipt.known_alerts)
        for receipt in receipts
    ]
    lines = [[(one.kind, one.data) for one in await ledger.incidents.entries(each)] for each in ids]
    async with ledger.intake._transaction() as session:
        columns = AlertStateRow.fingerprint, AlertStateRow.status, AlertStateRow.starts_at
        stands = [*(await session.execute(select(*columns).order_by(AlertStateRow.fingerprint)))]
    return answers, lines, [tuple(row) for row in stands]


async def test_one_that_the_database_refuses_does_not_take_others_along(
    ledger: Ledger, database_url: str
) -> None:
    await query(database_url, text(refusing("spoilt", database_url)))

    good, spoilt, other = await deliver(
        ledger, about("web", "a"), about("web", "b", "spoilt"), about("shop", "c")
    )

    assert (good.new_alerts, other.new_alerts) == (1, 1)
    assert isinstance(spoilt, DatabaseUnavailable)
    assert await query(database_url, select(AlertRow.fingerprint).order_by(AlertRow.fingerprint)) == [
        ("a",),
        ("c",),
    ]
    assert await count(database_url, WebhookRow) == 2


def refusing(fingerprint: str, url: str) -> str:
    """Return a statement after which the database refuses to store an alert of this fingerprint."""
    if url.startswith("sqlite"):
        return (
            f"CREATE TRIGGER spoil BEFORE INSERT ON alerts WHEN NEW.fingerprint = '{fingerprint}' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    return f"ALTER TABLE alerts ADD CHECK (fingerprint <> '{fingerprint}')"


async def test_a_caller_that_is_gone_takes_nothing_of_others_along(ledger: Ledger, database_url: str) -> None:
    groups = [about(f"web-{number}", f"{number}") for number in range(6)]
    calls = [asyncio.create_task(ledger.intake.accept(group, b"{}")) for group in groups]
    for _ in range(3):  # until the transaction is under way
        await asyncio.sleep(0)
    calls[0].cancel()
    calls[3].cancel()

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(answer) for answer in answers].count(Receipt) == 4
    stored = {fingerprint for (fingerprint,) in await query(database_url, select(AlertRow.fingerprint))}
    assert {"1", "2", "4", "5"} <= stored


async def test_a_database_that_goes_away_in_the_middle_takes_all_back_and_says_503(
    url: str, tmp_path: Path
) -> None:
    async with open_rest_service(tmp_path, url) as rest_service:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as holder:
            await holder.execute("SELECT pg_advisory_lock(%s)", (INTAKE,))
            posts = asyncio.gather(*(post(rest_service, number) for number in range(6)))
            while not posts.done():
                await holder.execute(DISCONNECT_WHO_WAITS)
                await asyncio.sleep(0.01)
            codes = await posts

        assert codes == [503] * 6
        for table in (WebhookRow, AlertRow, AlertStateRow, IncidentRow, EntryRow):
            assert await count(url, table) == 0
        assert await post(rest_service, 0) == 202


async def post(rest_service: RestService, number: int) -> int:
    body = about(f"web-{number}", f"{number}").model_dump(mode="json")
    answer = await rest_service.client.post(
        PATH, content=json.dumps(body), headers=rest_service.as_("ingest")
    )
    return answer.status_code
