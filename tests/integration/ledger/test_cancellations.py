"""Whoever stops waiting for the ledger, as a browser that closes a stream does, leaves it to the others."""

import asyncio
from pathlib import Path

import anyio
import pytest

from checkpoints.ledger import open_ledger


@pytest.mark.parametrize("steps", range(0, 40, 8))
async def test_a_cancelled_transaction_holds_nobody_up(tmp_path: Path, steps: int) -> None:
    async with open_ledger(f"sqlite+aiosqlite:///{tmp_path}/ledger.db") as ledger:
        for more in range(4):
            async with anyio.create_task_group() as group:
                group.start_soon(ledger.stops.standing)
                for _ in range(steps + more):
                    await asyncio.sleep(0.0002)
                group.cancel_scope.cancel()  # it cancels again and again, until the task has ended

            await ledger.stops.set_kill_switch(engaged=False, by="alice", reason="another one writes")
