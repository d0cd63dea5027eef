"""Who is told what while a real service mends something, also where telling them fails."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tests.integration.cluster.clusters import await_condition
from tests.integration.receivers import Receiver, receiving
from tools.sandbox import SCENARIOS, SandboxCluster

_SECRET = "whsec_" + "bmV3" * 8


@pytest.fixture
def machine() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def people() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
async def service(
    sandbox: SandboxCluster, machine: Receiver, people: Receiver, tmp_path: Path
) -> AsyncIterator[ServiceProcess]:
    await sandbox.break_as(SCENARIOS["image-pull"])
    file = tmp_path / "notify.yaml"
    file.write_text(
        "channels:\n"
        f"  - {{name: machine, webhook: 'http://{machine.host}/hook', secrets: [{{env: HOOK}}]}}\n"
        "  - {name: people, apprise: {env: PEOPLE}}\n"
    )
    service = ServiceProcess(
        tmp_path, *sandbox.write_kubeconfigs(tmp_path),
        MENDGATE_NOTIFY=str(file), MENDGATE_PUBLIC_URL="https://a.example/",
        HOOK=_SECRET, PEOPLE=f"json://{people.host}/people",
    )  # fmt: skip
    await service.start()
    yield service
    if service.process:
        await service.stop()


async def until(holds: Callable[[], bool]) -> None:
    async def look() -> bool | None:
        return holds() or None

    await await_condition(look, "messages", seconds=120)


def told(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["type"].removeprefix("mendgate.") for one in receiver.received]


async def test_a_fix_is_told_from_its_proposal_to_its_proof(
    service: ServiceProcess, machine: Receiver, people: Receiver
) -> None:
    incident_id = await service.post_alert(real_body())
    await service.decide(await service.pending_approval(incident_id), "approve")
    await service.wait_for(incident_id, "resolved")

    await until(lambda: len(machine.received) == len(people.received) == 3)
    assert told(machine) == ["proposed", "approved", "verified"]
    bodies = [json.loads(one.body) for one in people.received]
    assert f"https://a.example/incidents/{incident_id}" in bodies[0]["message"]
    assert bodies[2]["title"] == "Fixed and verified: Deployment/nginx-deployment in default"
    assert _SECRET not in service.log()


async def test_a_run_waits_for_no_channel_and_what_fails_is_told_after_a_restart(
    service: ServiceProcess, machine: Receiver, people: Receiver
) -> None:
    people.open.clear()
    machine.answers = [(500, {})]
    incident_id = await service.post_alert(real_body())
    await service.decide(await service.pending_approval(incident_id), "approve")
    await service.wait_for(incident_id, "resolved")
    await until(lambda: len(machine.received) >= 1)

    assert await service.stop() == 0
    await service.start()
    people.open.set()

    await until(lambda: len(set(machine.ids)) == 3)
    await until(lambda: len(people.received) >= 3)
    assert machine.ids.count(machine.ids[0]) == 2
    assert f"http://{people.host}" not in service.log()
