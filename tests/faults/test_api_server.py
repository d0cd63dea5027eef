"""The API server answers with errors, hangs or is away: the run goes on, or ends with a reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.faulty_service import (
    Fault,
    FaultyService,
    answer,
    hang,
    is_dry_run,
    is_patch,
    is_read,
    open_faulty_service,
)


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[FaultyService]:
    async with open_faulty_service(tmp_path) as ward:
        yield ward


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        pytest.param(answer(429), 2, id="429"),
        pytest.param(answer(500), 2, id="500"),
        pytest.param(answer(504), 2, id="504"),
        pytest.param(hang, 1, id="hangs"),
    ],
)
async def test_an_incident_goes_on_after_a_fault_at_each_of_its_steps(
    ward: FaultyService, fault: Fault, times: int
) -> None:
    ward.sky.cloud(is_read, fault, times)
    ward.sky.cloud(is_dry_run, fault, times)
    await ward.begin()
    await ward.reach("awaiting_approval")
    ward.sky.cloud(is_dry_run, fault, times)
    ward.sky.cloud(is_patch, fault, times)
    await ward.approve()
    await ward.reach("verifying")
    ward.sky.cloud(is_read, fault, times)
    incident = await ward.reach("resolved")

    assert ward.sky.met == 5 * times
    assert incident.verdict == "verified"
    assert len(ward.sandbox.writes) == 1


async def test_a_patch_met_by_conflicts_is_made_anew_for_the_version_that_stands(ward: FaultyService) -> None:
    ward.sky.cloud(is_dry_run, answer(409), 2)
    await ward.begin()
    await ward.reach("awaiting_approval")
    ward.sky.cloud(is_patch, answer(409), 2)
    await ward.approve()
    await ward.reach("resolved")

    assert ward.sky.met == 4
    assert len(ward.sandbox.writes) == 1


async def test_conflicts_without_end_fail_with_nothing_written_and_a_retry_proposes_anew(
    ward: FaultyService,
) -> None:
    await ward.begin()
    await ward.reach("awaiting_approval")
    ward.sky.cloud(is_patch, answer(409))
    first = await ward.approve()
    failed = await ward.reach("failed")
    writes = len(ward.sandbox.writes)

    ward.sky.faults.clear()
    await ward.service.runner.retry(ward.incident_id, "bob")
    second = await ward.approve()
    await ward.reach("resolved")

    assert "nothing was written" in failed.reason
    assert writes == 0
    assert first.id != second.id
    assert len(ward.sandbox.writes) == 1


async def test_a_server_that_is_away_fails_the_execution_and_a_retry_proposes_anew(
    ward: FaultyService,
) -> None:
    await ward.begin()
    approval_id = (await ward.reach("awaiting_approval")).approval_ids[-1]
    await ward.sandbox.__aexit__(None, None, None)
    await ward.approve_now(approval_id)
    failed = await ward.reach("failed")

    await ward.sandbox.__aenter__()
    await ward.service.runner.retry(ward.incident_id, "bob")
    await ward.approve()
    await ward.reach("resolved")

    assert "nothing was written" in failed.reason
    assert "Check that the server is up" in failed.reason
    assert len(ward.sandbox.writes) == 1


async def test_a_server_that_fails_while_it_is_investigated_fails_the_run_which_goes_on_by_a_retry(
    ward: FaultyService,
) -> None:
    ward.sky.cloud(is_read, answer(500))
    await ward.begin()
    failed = await ward.reach("failed")

    ward.sky.faults.clear()
    await ward.service.runner.retry(ward.incident_id, "bob")
    await ward.approve()
    await ward.reach("resolved")

    assert "it answered 500" in failed.reason
    assert len(ward.sandbox.writes) == 1


@pytest.mark.parametrize("code", [403, 409, 429, 500])
async def test_a_fix_that_cannot_be_looked_at_is_handed_over_as_undetermined(
    tmp_path: Path, code: int
) -> None:
    async with open_faulty_service(tmp_path, budget_seconds=5) as ward:
        await ward.begin()
        await ward.approve()
        await ward.reach("verifying")
        ward.sky.cloud(is_read, answer(code))
        incident = await ward.reach("handed_over")
        report = await ward.report()

    assert incident.verdict == "undetermined"
    assert "Resolved: " not in report
    assert "couldn't be read" in report
    assert len(ward.sandbox.writes) == 1
