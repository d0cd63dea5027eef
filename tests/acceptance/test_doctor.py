"""`mendgate doctor` as a person runs it: the installed command, its words, its exit code, what it leaves."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.identity.tokens import TokenStore
from tests.acceptance.lives import COMMAND
from tests.acceptance.services import ServiceProcess
from tests.integration.cluster.clusters import ClusterUnderTest, SandboxUnderTest

KEY, PASSWORD, BEARER = "sk-scripted-4711-0815", "pa55-word-4711", "abcdefgh-4711-0815"


@dataclass(frozen=True)
class Examined:
    """How the doctor ended."""

    code: int
    out: str
    err: str

    def statuses(self) -> dict[str, str]:
        """Return the JSON's checks, by their name."""
        return {check["name"]: check["status"] for check in json.loads(self.out)["checks"]}

    def check(self, name: str) -> dict[str, str]:
        """Return one check of the JSON."""
        (found,) = [check for check in json.loads(self.out)["checks"] if check["name"] == name]
        return dict(found)


async def examine(folder: Path, *arguments: str, **environment: str) -> Examined:
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "doctor",
        *arguments,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return Examined(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def rest_service(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    return folder


@pytest.fixture
def silence() -> Iterator[str]:
    """Return the address of somebody who takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def credentials(cluster: ClusterUnderTest) -> dict[str, str]:
    return {
        "KUBECONFIG": str(cluster.reader_kubeconfig),
        "MENDGATE_WRITE_KUBECONFIG": str(cluster.writer_kubeconfig),
    }


async def test_what_is_ready_is_called_ready_and_left_as_it_was(
    cluster: ClusterUnderTest, rest_service: Path
) -> None:
    TokenStore(rest_service / "mendgate-tokens.json").create("root", "admin")

    spoken = await examine(rest_service, **credentials(cluster))
    written = await examine(rest_service, "-o", "json", **credentials(cluster))

    assert (spoken.code, spoken.err) == (0, ""), spoken
    assert (written.code, written.err) == (0, ""), written
    assert spoken.out.splitlines()[-1].startswith("ready")
    assert "\x1b" not in spoken.out
    assert {"ok", "warning"} >= set(written.statuses().values())
    assert names_in(rest_service) == ["mendgate-tokens.json"]
    if isinstance(cluster, SandboxUnderTest):
        assert set(written.statuses().values()) == {"ok"}
        assert cluster.sandbox.writes == []


async def test_a_fresh_folder_learns_what_to_do_first(rest_service: Path) -> None:
    spoken = await examine(rest_service)

    assert (spoken.code, spoken.err) == (1, ""), spoken
    assert "✗  token file" in spoken.out
    assert "→ Make one with `mendgate token create --role approver --name alice`." in spoken.out
    assert "isn't there yet: `mendgate serve` makes it" in spoken.out
    assert "→ Set KUBECONFIG" in spoken.out
    assert names_in(rest_service) == []


async def test_the_doctor_looks_beside_a_running_service(
    cluster: ClusterUnderTest, rest_service: Path
) -> None:
    service = ServiceProcess(rest_service, cluster.reader_kubeconfig, cluster.writer_kubeconfig)
    await service.start()

    found = await examine(
        rest_service,
        "-o",
        "json",
        MENDGATE_DATABASE_URL=f"sqlite+aiosqlite:///{rest_service}/mendgate.db",
        MENDGATE_TOKENS=str(rest_service / "tokens.json"),
        **credentials(cluster),
    )
    health = await service.request("GET", "/v1/incidents")
    await service.stop()

    assert found.code == 0, found
    assert "tables up to date, may be written to" in found.check("database")["found"]
    assert found.check("token file")["found"].startswith("4 in ")
    assert health.status_code == 200


async def test_silence_everywhere_ends_and_gives_no_secret_away(rest_service: Path, silence: str) -> None:
    kubeconfig = rest_service / "silent.kubeconfig"
    kubeconfig.write_text(json.dumps(silent_kubeconfig(silence)))
    broken = {"command": "no-such-command", "env": {"API_KEY": KEY}}
    (rest_service / "mcp.json").write_text(json.dumps({"mcpServers": {"broken": broken}}))

    found = await examine(
        rest_service,
        "-o",
        "json",
        KUBECONFIG=str(kubeconfig),
        MENDGATE_WRITE_KUBECONFIG=str(kubeconfig),
        MENDGATE_DATABASE_URL=f"postgresql://mendgate:{PASSWORD}@{silence}/ledger",
        MENDGATE_MCP_CONFIG=str(rest_service / "mcp.json"),
        MENDGATE_MODEL="silent",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        OPENAI_API_KEY=KEY,
    )

    failed = {name for name, status in found.statuses().items() if status == "failed"}
    silent = {"database", "reader: cluster", "writer: cluster"}
    assert failed == silent | {"token file", "MCP server: broken", "model"}
    assert {found.check(name)["found"] for name in silent} == {"no answer within 10 s"}
    assert found.code == 1
    for secret in (KEY, PASSWORD, BEARER):
        assert secret not in found.out + found.err


async def test_settings_that_cannot_be_used_are_named(rest_service: Path) -> None:
    found = await examine(rest_service, "-o", "json", MENDGATE_PORT="many", OPENAI_API_KEY=KEY)

    assert found.code == 1
    assert found.statuses() == {"settings": "failed", "everything else": "skipped"}
    assert "MENDGATE_PORT" in found.check("settings")["found"]


def silent_kubeconfig(address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "silent", "cluster": {"server": f"http://{address}"}}],
        "users": [{"name": "silent", "user": {"token": BEARER}}],
        "contexts": [{"name": "silent", "context": {"cluster": "silent", "user": "silent"}}],
        "current-context": "silent",
    }
