"""A stop that comes and goes while a run looks elsewhere: the approval outlasts it, and is carried out."""

import pytest

from tests.attack.stages import Stage
from tools.executor import Executor
from tools.grants import Outcome


async def test_a_stop_that_is_over_before_the_run_asks_again_costs_no_approval(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = await stage.open_incident()
    await stage.approve(await stage.approval(incident.id))
    execute, stops, outcomes = Executor.execute, stage.ledger.stops, list[Outcome]()

    async def execute_once_stopped(executor: Executor, approval_id: str, digest: str, epoch: int) -> Outcome:
        await stops.set_kill_switch(engaged=not outcomes, by="root", reason="drill")
        outcomes.append(await execute(executor, approval_id, digest, epoch))
        await stops.set_kill_switch(engaged=False, by="root", reason="over")
        return outcomes[-1]

    monkeypatch.setattr(Executor, "execute", execute_once_stopped)
    ended = await stage.wake(incident.id)

    assert [one.kind for one in outcomes] == ["held", "applied"]
    assert ended.status == "resolved"
    assert len(stage.front.writes) == 1
