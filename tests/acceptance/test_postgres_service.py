"""The installed command on Postgres: it is migrated first, and a database that goes away comes back."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.lives import COMMAND
from tests.acceptance.services import ServiceProcess
from tests.acceptance.workloads import real_body
from tests.databases import PostgresUnderTest
from tools.sandbox import SCENARIOS, SandboxCluster


@pytest.fixture
def empty_url(postgres: PostgresUnderTest) -> Iterator[str]:
    with postgres.empty_database() as url:
        yield url


@pytest.fixture
async def service(sandbox: SandboxCluster, tmp_path: Path, url: str) -> AsyncIterator[ServiceProcess]:
    await sandbox.break_as(SCENARIOS["image-pull"])
    kubeconfigs = sandbox.write_kubeconfigs(tmp_path)
    service = ServiceProcess(tmp_path, *kubeconfigs, MENDGATE_DATABASE_URL=url)
    await service.start()
    yield service
    await service.stop()


async def mendgate(folder: Path, command: str, url: str) -> tuple[int | None, str, str]:
    """Run one command, and return its exit code and what it said."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "MENDGATE_DATABASE_URL": url,
        "MENDGATE_TOKENS": str(folder / "tokens.json"), "MENDGATE_PORT": "0",
    }  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        COMMAND, command, cwd=folder, env=environment, stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_the_service_waits_for_the_migration_which_can_be_repeated(
    tmp_path: Path, sandbox: SandboxCluster, empty_url: str
) -> None:
    ServiceProcess(tmp_path, *sandbox.write_kubeconfigs(tmp_path))  # makes the tokens

    refused = await mendgate(tmp_path, "serve", empty_url)
    first, second = await asyncio.gather(*(mendgate(tmp_path, "migrate", empty_url) for _ in range(2)))
    again = await mendgate(tmp_path, "migrate", empty_url)

    assert refused[0] == 1
    assert "mendgate: the database isn't ready" in refused[2]
    assert "run `mendgate migrate`" in refused[2]
    assert (first[0], second[0], again[0]) == (0, 0, 0), (first, second, again)
    assert (first[1] + second[1]).count("the tables went from nothing") == 1
    assert again[1].count("already") == 3


async def test_a_url_that_cannot_be_used_is_refused_without_its_password(tmp_path: Path) -> None:
    code, out, err = await mendgate(tmp_path, "migrate", "postgres://mendgate:hunter22@127.0.0.1:1/alerts")
    odd_code, odd_out, odd_err = await mendgate(tmp_path, "migrate", "mysql://mendgate:hunter22@db/alerts")

    assert (code, odd_code) == (1, 1)
    assert "the database can't be used now" in err
    assert "MENDGATE_DATABASE_URL" in odd_err
    assert "hunter22" not in out + err + odd_out + odd_err


async def test_an_incident_goes_on_after_its_database_was_away(
    service: ServiceProcess, sandbox: SandboxCluster, postgres: PostgresUnderTest, url: str
) -> None:
    incident_id = await service.post_alert(real_body())

    with postgres.closed(url):
        away = await service.request("POST", "/alert", "ingest", json=real_body())
    approval = await service.pending_approval(incident_id)
    with postgres.closed(url):
        undecided = await service.decide(approval, "approve")
    decided = await service.decide(approval, "approve")
    postgres.disconnect_all(url)
    incident = await service.wait_for(incident_id, "resolved")
    metrics = (await service.request("GET", "/metrics", "viewer")).text

    assert {"mendgate_ledger_up 1.0", 'mendgate_incidents{status="resolved"} 1.0'} <= set(
        metrics.splitlines()
    )
    assert "mendgate_queue_depth " in metrics
    assert (away.status_code, undecided.status_code, decided.status_code) == (503, 503, 201)
    assert incident["verdict"] == "verified"
    assert len(sandbox.writes) == 1
