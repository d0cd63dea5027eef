"""A house per test and database, and a gate for JWTs, which needs no more than a database."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.rest.gate import KEY, RSA, Gate, open_gate
from tests.integration.rest.rest_service import RestService, open_rest_service
from tests.issuer import MadeUpIssuer, run_made_up_issuer


@pytest.fixture
async def rest_service(tmp_path: Path, database_url: str) -> AsyncIterator[RestService]:
    async with open_rest_service(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
async def gate(tmp_path: Path, migrated: Path) -> AsyncIterator[Gate]:
    shutil.copy(migrated, tmp_path)
    async with open_gate(tmp_path) as opened:
        yield opened


@pytest.fixture
async def issuer(gate: Gate) -> AsyncIterator[MadeUpIssuer]:
    """Run an issuer whom the gate trusts, with an EC and an RSA key."""
    async with run_made_up_issuer(KEY, RSA) as issuer:
        gate.trust(issuer.url)
        yield issuer
