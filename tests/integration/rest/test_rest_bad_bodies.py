"""Bodies that fuzzing found to be answered otherwise than the description says."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.rest.house import House
from tests.integration.rest.test_rest_webhook import seed

SWITCH = {"engaged": True, "reason": "a drill"}
FREEZE = {"starts_at": "2026-12-24T00:00:00Z", "ends_at": "2026-12-27T00:00:00Z", "reason": "a holiday"}
SENDS = [("PUT", "/v1/controls/kill-switch", SWITCH), ("POST", "/v1/freezes", FREEZE)]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Name one database: a body is read the same way for each."""
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


@pytest.mark.parametrize(("method", "path", "body"), SENDS)
async def test_a_body_that_is_no_text_is_refused_as_any_other(
    house: House, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await house.client.request(
        method, path, content=b"\xf2\xff", headers=house.as_("admin") | {"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:alertmend:problem:invalid-input"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"starts_at": 0}, "/starts_at"),
        ({"ends_at": 1798329600}, "/ends_at"),
        ({"ends_at": True}, "/ends_at"),
    ],
)
async def test_a_number_is_no_instant_of_a_freeze(house: House, change: dict[str, Any], pointer: str) -> None:
    answer = await house.client.post("/v1/freezes", json=FREEZE | change, headers=house.as_("admin"))

    assert answer.status_code == 422
    assert pointer in answer.json()["detail"]


@pytest.mark.parametrize("engaged", [0, 1, "no", "off", None])
async def test_the_kill_switch_is_on_or_off_and_nothing_that_might_mean_it(
    house: House, engaged: object
) -> None:
    body = SWITCH | {"engaged": engaged}

    answer = await house.client.put("/v1/controls/kill-switch", json=body, headers=house.as_("admin"))

    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["startsAt", "endsAt"])
async def test_a_number_is_no_instant_of_an_alert(house: House, name: str) -> None:
    body = seed()
    body["alerts"][0][name] = 1_798_329_600

    answer = await house.client.post("/alert", json=body, headers=house.as_("ingest"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/alerts/0/{name}"


@pytest.mark.parametrize("count", ["3", True, 1.5, None])
async def test_how_many_alerts_were_cut_off_is_a_whole_number(house: House, count: object) -> None:
    body = seed() | {"truncatedAlerts": count}

    answer = await house.client.post("/alert", json=body, headers=house.as_("ingest"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/truncatedAlerts"
