"""The runner of a service that has its database to itself."""

import asyncio
from typing import Any

import pytest

from api.workers.local_runner import Runner
from api.workers.run import Runs
from checkpoints.ledger import Ledger


async def test_an_incident_that_is_woken_just_as_its_run_ends_runs_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, again = list[str](), asyncio.Event()

    async def go(_: Runs, incident_id: str) -> None:
        ran.append(incident_id)
        if len(ran) == 1:  # called before anybody hears that the run is over
            asyncio.get_running_loop().call_soon(runner.wake, incident_id)
        else:
            again.set()

    monkeypatch.setattr(Runs, "go", go)
    no_graph: Any = None
    runner = Runner(no_graph, ledger, sweep_seconds=3600)
    async with runner.started():
        runner.wake("inc-1")
        await asyncio.wait_for(again.wait(), 10)

    assert ran == ["inc-1", "inc-1"]
