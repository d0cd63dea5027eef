"""Arguments and alerts beyond all measure: refused with a code, and the service goes on."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.workloads import real_body
from tests.attack.rest_port import Port, open_port
from tests.attack.stages import Stage

pytestmark = pytest.mark.parametrize(
    ("database_url", "cluster"),
    [("sqlite", "sandbox"), ("postgres", "sandbox"), ("sqlite", "real")],
    indirect=True,
)
DEPTHS = (33, 100, 250, 400, 900, 1_500, 100_000)


@pytest.fixture
async def port(stage: Stage, tmp_path: Path) -> AsyncIterator[Port]:
    async with open_port(stage, tmp_path) as opened:
        yield opened


def nested(depth: int, *, lists: bool = False) -> str:
    """Return JSON so deep that Python's own writer could not write it."""
    opening, closing = ("[", "]") if lists else ('{"a":', "}")
    return opening * depth + "1" + closing * depth


def edit_of(arguments: dict[str, Any], digest: str, patch: str) -> bytes:
    body = json.dumps({"arguments": arguments | {"patchData": "PATCH"}, "digest": digest})
    return body.replace('"PATCH"', patch).encode()


async def test_an_edit_beyond_all_measure_is_refused_and_the_proposal_stands(
    stage: Stage, port: Port
) -> None:
    incident = await stage.open_incident()
    approval = await stage.approval(incident.id)
    path = f"/v1/approvals/{approval.id}/edit"
    arguments = approval.proposal.arguments.as_json()
    long = json.dumps(
        {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "args": ["x" * 300_000]}]}}}}
    )
    patches = [*map(nested, DEPTHS), *(f'{{"spec":{nested(depth, lists=True)}}}' for depth in DEPTHS), long]

    codes = {}
    for patch in patches:
        body = edit_of(arguments, approval.digest, patch)
        answer = await port.send("POST", path, content=body, headers={"Content-Type": "application/json"})
        codes[patch[:10], len(patch)] = answer.status_code
    huge = await port.send("POST", path, content=edit_of(arguments, approval.digest, f'"{"x" * 11_000_000}"'))

    assert set(codes.values()) <= {400, 422}, codes
    assert huge.status_code == 413
    assert (await stage.ledger.approvals.find(approval.id)).status == "pending"
    assert stage.front.writes == []


async def test_an_alert_beyond_all_measure_is_refused_or_told_in_full(stage: Stage, port: Port) -> None:
    for depth in DEPTHS:
        body = json.dumps(real_body() | {"routeLabels": "DEEP"}).replace('"DEEP"', nested(depth))
        answer = await port.send("POST", "/alert", "ingest", content=body.encode())
        assert answer.status_code in {202, 422}, (depth, answer.text)
        if answer.status_code == 202:
            for incident_id in answer.json()["incident_ids"]:
                shown = await port.send("GET", f"/v1/incidents/{incident_id}", "viewer")
                assert shown.status_code == 200
                await stage.settle(incident_id)
    labels = {f"label-{number}": "x" * 50 for number in range(20_000)}
    body = json.dumps(real_body() | {"commonLabels": labels})
    many = await port.send("POST", "/alert", "ingest", content=body.encode())

    assert many.status_code == 202
    assert stage.front.writes == []
