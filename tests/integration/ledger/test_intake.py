"""Taking alerts in: what is stored of a delivery."""

import hashlib
import json

from sqlalchemy import select

from checkpoints.db.tables import Base, WebhookRow
from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from tests.databases import query
from tests.unit.graph.domain.test_alerts_and_targets import real_body


async def test_no_credential_of_an_alert_reaches_the_database(ledger: Ledger, database_url: str) -> None:
    body = real_body()
    body["alerts"][0]["annotations"]["db_password"] = "hunter22"
    body["alerts"][1]["annotations"]["description"] = "can't reach postgres://shop:hunter22@db/shop"
    raw = json.dumps(body).encode()

    await ledger.intake.accept(AlertGroup.model_validate_json(raw), raw)

    ((stored, digest),) = await query(database_url, select(WebhookRow.body, WebhookRow.sha256))
    rest = [await query(database_url, select(table)) for table in Base.metadata.tables.values()]
    assert "hunter22" not in str(rest)
    assert b"hunter22" not in stored
    assert digest == hashlib.sha256(raw).hexdigest()


async def test_alerts_of_one_workload_open_one_incident(ledger: Ledger) -> None:
    group = AlertGroup.model_validate(real_body())

    receipt = await ledger.intake.accept(group, b"{}")

    assert len(receipt.incident_ids) == 1
    assert receipt.new_alerts == 3
