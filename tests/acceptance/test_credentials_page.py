"""docs/credentials.md on a real API server: its commands make two credentials that the doctor calls fit."""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest

from api.config.settings import Settings
from api.doctor.check import Check
from api.doctor.reader import check_reader
from api.doctor.writer import check_writer
from tests.acceptance.guides import ROOT, read_blocks, write_script
from tests.integration.cluster.clusters import REAL_KUBECONFIGS

ADMIN = REAL_KUBECONFIGS[0]
PAGE = ROOT / "docs" / "credentials.md"


@pytest.fixture
def names() -> Iterator[tuple[str, str]]:
    """Return names of this run's own in place of `mendgate` and `shop`; what has them is removed."""
    if not os.environ.get(ADMIN):
        if os.environ.get("MENDGATE_TEST_REQUIRE_CLUSTER"):
            pytest.fail(f"a real cluster is required: set {ADMIN}")
        pytest.skip(f"no real cluster: set {ADMIN}")
    own = f"page-{token_hex(4)}"
    shop = f"{own}-shop"
    assert _kubectl("create", "namespace", shop).returncode == 0
    yield own, shop
    _kubectl("delete", "namespace", own, shop, "--ignore-not-found", "--wait=false")
    _kubectl("delete", "clusterrole", f"{own}-read", f"{own}-patch", "--ignore-not-found")
    _kubectl("delete", "clusterrolebinding", f"{own}-read", "--ignore-not-found")


async def test_the_commands_make_a_reader_and_a_writer_that_are_fit(
    names: tuple[str, str], tmp_path: Path
) -> None:
    blocks = [replace(one, notes=_without_reason(one.notes)) for one in read_blocks(PAGE)]
    own, shop = names
    script = write_script(blocks).replace("-n shop", f"-n {shop}").replace("mendgate", own)

    ran = await asyncio.to_thread(_run, "bash", "-c", script, folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr

    reader, writer = tmp_path / "reader.kubeconfig", tmp_path / "writer.kubeconfig"
    settings = Settings(kubeconfig=reader, write_kubeconfig=writer)
    found: list[Check] = [*await check_reader(settings), *await check_writer(settings)]
    assert [one for one in found if one.status in {"failed", "skipped"}] == []
    assert {reader.stat().st_mode & 0o777, writer.stat().st_mode & 0o777} == {0o600}


def _without_reason(notes: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in notes.items() if name != "not run"}


def _kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("kubectl", *arguments)


def _run(*command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": os.environ[ADMIN]}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
