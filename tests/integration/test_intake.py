"""Taking alerts in: what is stored of a delivery."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from checkpoints.ledger import Ledger, open_ledger
from graph.alerts import AlertGroup
from tests.unit.graph.test_alerts_and_targets import real_body


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(f"sqlite+aiosqlite:///{tmp_path}/ledger.db") as ledger:
        yield ledger


async def test_no_credential_of_an_alert_reaches_the_database(ledger: Ledger, tmp_path: Path) -> None:
    body = real_body()
    body["alerts"][0]["annotations"]["db_password"] = "hunter22"
    body["alerts"][1]["annotations"]["description"] = "can't reach postgres://shop:hunter22@db/shop"
    raw = json.dumps(body).encode()

    await ledger.intake.accept(AlertGroup.model_validate_json(raw), raw)

    async with aiosqlite.connect(tmp_path / "ledger.db") as connection:
        rows = await connection.execute_fetchall("SELECT body, sha256 FROM webhooks")
        dump = [line async for line in connection.iterdump()]
    ((stored, digest),) = rows
    assert "hunter22" not in "\n".join(dump)
    assert b"hunter22" not in stored
    assert digest == hashlib.sha256(raw).hexdigest()


async def test_alerts_of_one_workload_open_one_incident(ledger: Ledger) -> None:
    group = AlertGroup.model_validate(real_body())

    receipt = await ledger.intake.accept(group, b"{}")

    assert len(receipt.incident_ids) == 1
    assert receipt.new_alerts == 3
