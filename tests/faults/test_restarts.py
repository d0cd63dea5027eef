"""Postgres crashes and comes back, with everything that was under way."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import MortalPostgres, run_mortal_postgres
from tests.faults.faulty_service import is_patch, is_read, open_faulty_service


@pytest.fixture(scope="module")
def mortal() -> Iterator[MortalPostgres]:
    with run_mortal_postgres() as server:
        yield server


async def test_a_database_that_crashes_at_every_stage_costs_neither_the_incident_nor_a_second_write(
    mortal: MortalPostgres, tmp_path: Path
) -> None:
    crashes = 0

    async def crash(*_exchange: object) -> bool:
        nonlocal crashes
        await asyncio.to_thread(mortal.crash_and_recover)
        crashes += 1
        return False  # the API server answers all the same

    with mortal.database() as url:
        async with open_faulty_service(tmp_path, url) as ward:
            ward.sky.cloud(is_read, crash, 1)  # the investigation's first look
            ward.sky.cloud(is_patch, crash, 1)  # the patch is on its way
            await ward.begin()
            approval_id = (await ward.reach("awaiting_approval")).approval_ids[-1]
            await crash()  # while a person thinks
            await ward.approve_now(approval_id)
            incident = await ward.reach("resolved")
            audit = await ward.service.ledger.audit.verify()

    assert crashes == 3
    assert incident.verdict == "verified"
    assert len(ward.sandbox.writes) == 1
    assert audit.intact, audit
