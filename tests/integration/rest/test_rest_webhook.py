"""The webhook keeps Alertmanager's contract: commit, then 202; 422 by field; 503 for a broken database."""

import asyncio
import cProfile
import json
import pstats
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http_server.limits import ConcurrencyLimit
from api.serving.app import create_app
from tests.integration.rest.rest_service import SEED, RestService

PATHS = ["/v1/webhooks/alertmanager", "/alert"]


def seed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SEED.read_bytes())
    return document


@pytest.mark.parametrize("path", PATHS)
async def test_the_seeds_alert_is_taken_unchanged_on_both_paths(rest_service: RestService, path: str) -> None:
    answer = await rest_service.client.post(
        path, content=SEED.read_bytes(), headers=rest_service.as_("ingest")
    )

    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    assert (receipt["new_alerts"], receipt["known_alerts"]) == (3, 0)
    assert rest_service.woken == receipt["incident_ids"]
    incident = await rest_service.ledger.incidents.find(receipt["incident_ids"][0])
    assert str(incident.target) == "Deployment/nginx-deployment in default"


async def test_the_same_delivery_again_changes_nothing(rest_service: RestService) -> None:
    first = await rest_service.client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))

    again = await rest_service.client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))

    assert again.json() == {**first.json(), "new_alerts": 0, "known_alerts": 3}
    assert len((await rest_service.ledger.incidents.page()).items) == 1


async def test_fields_that_newer_servers_add_are_kept(rest_service: RestService) -> None:
    body = seed() | {"notification_reason": "new", "routeLabels": {"team": "web"}}

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    group = await rest_service.ledger.incidents.group(answer.json()["incident_ids"][0])
    assert group.model_dump()["routeLabels"] == {"team": "web"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"version": "3"}, "/version"),
        ({"alerts": []}, "/alerts"),
        ({"alerts": [{"status": "firing"}]}, "/alerts/0/labels"),
        ({"groupKey": None}, "/groupKey"),
        (
            {"alerts": [seed()["alerts"][0] | {"startsAt": "0001-01-01T00:00:00+14:00"}]},
            "/alerts/0/startsAt",
        ),
        ({"status": "on fire"}, "/status"),
        ({"alerts": [{"status": "firing", "labels": {"a": 1}, "startsAt": "x"}]}, "/alerts/0/labels/a"),
    ],
)
async def test_a_body_that_is_no_webhook_is_refused_by_field_and_nothing_is_stored(
    rest_service: RestService, change: dict[str, Any], pointer: str
) -> None:
    answer = await rest_service.client.post(
        "/alert", json=seed() | change, headers=rest_service.as_("ingest")
    )

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert pointer in answer.json()["detail"]
    assert (await rest_service.ledger.incidents.page()).items == ()
    assert rest_service.woken == []


@pytest.mark.parametrize("version", ["1", "4"])
async def test_deliveries_of_grafana_and_of_old_alertmanagers_are_taken_once(
    rest_service: RestService, version: str
) -> None:
    body = seed() | {"version": version, "orgId": 1, "title": "[FIRING:3]", "message": "**Firing**"}
    del body["truncatedAlerts"]
    for alert in body["alerts"]:
        del alert["fingerprint"]

    first = await rest_service.client.post(
        "/v1/webhooks/alertmanager", json=body, headers=rest_service.as_("ingest")
    )
    again = await rest_service.client.post(
        "/v1/webhooks/alertmanager", json=seed(), headers=rest_service.as_("ingest")
    )

    assert first.status_code == again.status_code == 202
    assert again.json() == {**first.json(), "new_alerts": 0, "known_alerts": 3}


async def test_a_refused_delivery_names_the_field_alone_and_leaves_a_line_in_the_log(
    rest_service: RestService, caplog: pytest.LogCaptureFixture
) -> None:
    alert = {name: value for name, value in seed()["alerts"][0].items() if name != "startsAt"}
    alert["labels"] |= {"password\nhunter": 2}

    answer = await rest_service.client.post(
        "/alert", json=seed() | {"alerts": [alert]}, headers=rest_service.as_("ingest")
    )

    assert [one["pointer"] for one in answer.json()["errors"]] == [
        "/alerts/0/labels/password\nhunter", "/alerts/0/startsAt",
    ]  # fmt: skip
    (line,) = [record.message for record in caplog.records if record.name == "api.rest.webhook"]
    assert line.startswith(
        "a delivery was refused: not a webhook of Alertmanager (version 4) or Grafana (version 1): "
        "/alerts/0/labels/"
    )
    assert "\n" not in line


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"version": "4"', b"alerts=1"])
async def test_a_body_that_is_no_json_object_is_refused(rest_service: RestService, raw: bytes) -> None:
    answer = await rest_service.client.post("/alert", content=raw, headers=rest_service.as_("ingest"))

    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:mendgate:problem:invalid-input"


async def test_a_body_of_a_megabyte_is_taken(rest_service: RestService) -> None:
    body = seed()
    body["commonAnnotations"] = {"description": "x" * 1_200_000}

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert answer.status_code == 202


async def test_what_was_truncated_and_came_later_is_told_on_the_timeline(rest_service: RestService) -> None:
    first = await rest_service.client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))
    body = seed() | {"truncatedAlerts": 12}
    body["alerts"] = [body["alerts"][0] | {"fingerprint": "another"}]

    await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    last = (await rest_service.ledger.incidents.entries(first.json()["incident_ids"][0]))[-1]
    assert (last.kind, last.data["truncated"]) == ("alert_attached", 12)


async def test_a_thousand_further_alerts_of_one_workload_attach_to_its_incident(
    rest_service: RestService,
) -> None:
    first = await rest_service.client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))
    body = seed()
    one = body["alerts"][0]
    body["alerts"] = [one | {"fingerprint": f"{number:016x}"} for number in range(1000)]

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert answer.json() == {**first.json(), "new_alerts": 1000, "known_alerts": 0}
    entries = await rest_service.ledger.incidents.entries(first.json()["incident_ids"][0])
    assert [entry.seq for entry in entries] == list(range(1, 1002))


def of_many_workloads(alerts: int) -> dict[str, Any]:
    """Return a body with so many alerts, two of each workload, that no other has."""
    body = seed()
    one = body["alerts"][0]
    body["alerts"] = [
        one
        | {
            "fingerprint": f"{alerts:08x}{number:08x}",
            "labels": one["labels"] | {"pod": f"app-{alerts}-{number // 2}-5c88b48cd-6kmxz"},
        }
        for number in range(alerts)
    ]
    return body


async def test_a_thousand_alerts_of_many_workloads_take_four_times_the_work_of_250(
    rest_service: RestService,
) -> None:
    async def count_calls(body: dict[str, Any]) -> tuple[int, Any]:
        profile = cProfile.Profile()
        with profile:
            answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))
        return pstats.Stats(profile).total_calls, answer.json()  # type: ignore[attr-defined]  # it has them

    await count_calls(of_many_workloads(2))  # statements are compiled once
    fewer, _ = await count_calls(of_many_workloads(250))
    body = of_many_workloads(1000)

    more, answer = await count_calls(body)
    _, again = await count_calls(body)

    assert more < 6 * fewer  # sorting was once quadratic
    assert (answer["new_alerts"], len(answer["incident_ids"])) == (1000, 500)
    assert again == answer | {"new_alerts": 0, "known_alerts": 1000}


async def test_a_resolved_alert_joins_its_incident_and_never_opens_one(rest_service: RestService) -> None:
    body = seed()
    resolved = body | {
        "alerts": [one | {"status": "resolved"} for one in body["alerts"]],
        "status": "resolved",
    }

    early = await rest_service.client.post("/alert", json=resolved, headers=rest_service.as_("ingest"))
    firing = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))
    body["alerts"] = [
        one | {"status": "resolved", "startsAt": "2025-06-05T00:00:00Z"} for one in body["alerts"]
    ]
    late = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert early.json() == {"incident_ids": [], "new_alerts": 3, "known_alerts": 0}
    assert late.json()["incident_ids"] == firing.json()["incident_ids"]


async def test_a_body_beyond_all_measure_is_not_read_to_its_end(rest_service: RestService) -> None:
    answer = await rest_service.client.post(
        "/alert", content=b"x" * 11_000_000, headers=rest_service.as_("ingest")
    )

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_delivery_that_finds_no_place_is_told_to_come_again_and_nothing_is_stored(
    rest_service: RestService, tmp_path: Path
) -> None:
    places = ConcurrencyLimit(at_once=1, patience_seconds=0.01)
    app = create_app(replace(rest_service.dependencies, places=places))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        async with places.take():
            refused = await client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))
        before = (await rest_service.ledger.incidents.page()).items
        taken = await client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))

    assert (refused.status_code, before) == (503, ())
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["content-type"] == "application/problem+json"
    assert taken.status_code == 202


async def test_a_flood_of_deliveries_is_stored_or_told_to_come_again(rest_service: RestService) -> None:
    bodies = [
        seed()
        | {"alerts": [one | {"fingerprint": f"{number}-{one['fingerprint']}"} for one in seed()["alerts"]]}
        for number in range(40)
    ]

    answers = await asyncio.gather(
        *(
            rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))
            for body in bodies
        )
    )

    acknowledged = [number for number, answer in enumerate(answers) if answer.status_code == 202]
    assert {answer.status_code for answer in answers} <= {202, 503}
    (incident,) = (await rest_service.ledger.incidents.page()).items
    stored = {
        one.fingerprint for one in (await rest_service.ledger.incidents.case_file(incident.id)).group.alerts
    }
    assert {int(one.split("-")[0]) for one in stored} == set(acknowledged)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_broken_database_asks_alertmanager_to_try_again(
    rest_service: RestService, tmp_path: Path
) -> None:
    await rest_service.open_incident()
    _destroy(tmp_path)

    answer = await rest_service.client.post("/alert", json=seed(), headers=rest_service.as_("ingest"))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert rest_service.woken == []


async def test_a_watchdog_becomes_an_incident_of_its_own(rest_service: RestService) -> None:
    body = seed()
    body["alerts"] = [body["alerts"][0] | {"labels": {"alertname": "Watchdog"}}]

    answer = await rest_service.client.post("/alert", json=body, headers=rest_service.as_("ingest"))

    assert answer.status_code == 202
    incident = await rest_service.ledger.incidents.find(answer.json()["incident_ids"][0])
    assert (incident.alertname, incident.target) == ("Watchdog", None)


def _destroy(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{folder}/ledger.db{suffix}").write_bytes(b"this is no database" * 4096)
