"""Bodies that fuzzing found to be answered otherwise than the description says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rest.rest_service import RestService
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
    rest_service: RestService, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await rest_service.client.request(
        method,
        path,
        content=b"\xf2\xff",
        headers=rest_service.as_("admin") | {"Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:mendgate:problem:invalid-input"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"starts_at": 0}, "/starts_at"),
        ({"ends_at": 1798329600}, "/ends_at"),
        ({"ends_at": True}, "/ends_at"),
    ],
)
async def test_a_number_is_no_instant_of_a_freeze(
    rest_service: RestService, change: dict[str, Any], pointer: str
) -> None:
    answer = await rest_service.client.post(
        "/v1/freezes", json=FREEZE | change, headers=rest_service.as_("admin")
    )

    assert answer.status_code == 422
    assert pointer in answer.json()["detail"]


@pytest.mark.parametrize("engaged", [0, 1, "no", "off", None])
async def test_the_kill_switch_is_on_or_off_and_nothing_that_might_mean_it(
    rest_service: RestService, engaged: object
) -> None:
    body = SWITCH | {"engaged": engaged}

    answer = await rest_service.client.put(
        "/v1/controls/kill-switch", json=body, headers=rest_service.as_("admin")
    )

    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["startsAt", "endsAt"])
async def test_a_number_is_no_instant_of_an_alert(rest_service: RestService, name: str) -> None:
    body = seed()
    body["alerts"][0][name] = 1_798_329_600

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/alerts/0/{name}"


@pytest.mark.parametrize("count", ["3", True, 1.5, None])
async def test_how_many_alerts_were_cut_off_is_a_whole_number(
    rest_service: RestService, count: object
) -> None:
    body = seed() | {"truncatedAlerts": count}

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/truncatedAlerts"


@pytest.mark.parametrize("name", ["startsAt", "endsAt"])
@pytest.mark.parametrize(
    "instant", ["1764500000", "1764500000000", "2026-11-23", "P1D", "2026-11-23T07:25:54"]
)
async def test_what_isnt_written_as_an_instant_is_none(
    rest_service: RestService, name: str, instant: str
) -> None:
    body = seed()
    body["alerts"][0][name] = instant

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/alerts/0/{name}"


@pytest.mark.parametrize("instant", ["1798329600", "2026-12-27", "tomorrow"])
async def test_a_freeze_begins_and_ends_at_instants(rest_service: RestService, instant: str) -> None:
    answer = await rest_service.client.post(
        "/v1/freezes", json=FREEZE | {"ends_at": instant}, headers=rest_service.as_("admin")
    )

    assert answer.status_code == 422
    assert "as RFC 3339 writes it" in answer.json()["detail"]


ODD = {
    '{"a": NaN': "NaN is no number of JSON",
    '{"a": -Infinity': "-Infinity is no number of JSON",
    '{"a": 1e400': "the number 1e400 is too large",
    '{"a": [-1E+999]': "the number -1E+999 is too large",
    '{"a": 1, "b": {"c": 1, "c": 2}': "the key 'c' is there twice",
    '{"version": "3"': "the key 'version' is there twice",
    '{"engaged": false': "the key 'engaged' is there twice",
}


def with_odd(odd: str, body: dict[str, Any]) -> bytes:
    """Return a body that is fine but for its beginning."""
    return f"{odd}, {json.dumps(body)[1:]}".encode()


@pytest.mark.parametrize("odd", [one for one in ODD if "engaged" not in one])
async def test_a_delivery_that_two_readers_would_read_differently_is_refused(
    rest_service: RestService, odd: str
) -> None:
    answer = await rest_service.client.post(
        "/alert", content=with_odd(odd, seed()), headers=rest_service.as_("ingest")
    )

    assert answer.status_code == 422
    assert ODD[odd] in answer.json()["detail"]
    assert (await rest_service.client.get("/v1/incidents", headers=rest_service.as_("viewer"))).json()[
        "items"
    ] == []


@pytest.mark.parametrize("odd", [one for one in ODD if "version" not in one])
async def test_a_body_that_two_readers_would_read_differently_is_refused(
    rest_service: RestService, odd: str
) -> None:
    headers = rest_service.as_("admin") | {"Content-Type": "application/json"}

    answer = await rest_service.client.put(
        "/v1/controls/kill-switch", content=with_odd(odd, SWITCH), headers=headers
    )

    assert answer.status_code == 422
    assert ODD[odd] in answer.json()["detail"]
    assert answer.json()["type"] == "urn:mendgate:problem:invalid-input"


async def test_a_delivery_of_nothing_but_brackets_is_refused_before_it_is_read(
    rest_service: RestService,
) -> None:
    body = json.dumps(seed() | {"routeLabels": "ODD"}).replace('"ODD"', f"[{'[],' * 600_000}0]")

    answer = await rest_service.client.post(
        "/alert", content=body.encode(), headers=rest_service.as_("ingest")
    )

    assert answer.status_code == 422
    assert "more than 500000 values" in answer.json()["detail"]


async def test_no_body_but_a_delivery_may_have_megabytes(rest_service: RestService) -> None:
    body = SWITCH | {"reason": "x" * 1_100_000}

    answer = await rest_service.client.put(
        "/v1/controls/kill-switch", json=body, headers=rest_service.as_("admin")
    )

    assert answer.status_code == 413
