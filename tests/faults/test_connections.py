"""Postgres ends every connection, again and again, while a run goes on."""

import asyncio
from pathlib import Path

from tests.databases import PostgresUnderTest
from tests.faults.faulty_service import is_patch, open_faulty_service

CUTS = 8


async def test_connections_cut_again_and_again_cost_no_incident_and_no_second_write(
    postgres: PostgresUnderTest, url: str, tmp_path: Path
) -> None:
    async def cut_often() -> None:
        for _ in range(CUTS):
            await asyncio.to_thread(postgres.disconnect_all, url)
            await asyncio.sleep(0.2)

    async with open_faulty_service(tmp_path, url) as ward:
        await ward.begin()
        await cut_often()
        approval_id = (await ward.reach("awaiting_approval")).approval_ids[-1]
        await ward.approve_now(approval_id)
        await cut_often()
        incident = await ward.reach("resolved")
        audit = await ward.service.ledger.audit.verify()

    assert incident.verdict == "verified"
    assert len(ward.sandbox.writes) == 1
    assert audit.intact, audit


async def test_a_database_that_goes_away_with_the_patch_in_flight_costs_no_second_write(
    postgres: PostgresUnderTest, url: str, tmp_path: Path
) -> None:
    async with open_faulty_service(tmp_path, url) as ward:
        away = postgres.closed(url)

        async def close(*_exchange: object) -> bool:
            away.__enter__()
            return False

        ward.sky.cloud(is_patch, close, 1)
        await ward.begin()
        approval_id = (await ward.reach("awaiting_approval")).approval_ids[-1]
        await ward.approve_now(approval_id)
        while not ward.sandbox.writes:  # noqa: ASYNC110 -- the sandbox offers nothing to await
            await asyncio.sleep(0.05)
        away.__exit__(None, None, None)
        incident = await ward.reach("resolved")

    assert incident.verdict == "verified"
    assert len(ward.sandbox.writes) == 1
