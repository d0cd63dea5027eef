"""Incidents over REST: read, followed live, retried; and the controls beside them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from graph.domain.diagnosis import ReadCall
from graph.domain.incident import Ending
from tests.integration.rest.rest_service import RestService
from tools.mcp.session import ToolResult

ENDING = Ending(status="no_action", reason="healthy again")


async def get(rest_service: RestService, path: str, **headers: str) -> httpx.Response:
    return await rest_service.client.get(path, headers=rest_service.as_("viewer") | headers)


async def end(rest_service: RestService, incident_id: str) -> None:
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.finish(incident_id, epoch, ENDING, "# Fine again\n")


async def test_incidents_are_listed_and_read(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()

    listed = (await get(rest_service, "/v1/incidents?status=open")).json()
    read = (await get(rest_service, f"/v1/incidents/{incident_id}")).json()

    assert listed == {"items": [read], "continue": None}
    assert (read["alertname"], read["status"], read["verdict"]) == ("KubePodNotReady", "open", None)


@pytest.mark.parametrize("part", ["", "/report", "/events", "/evidence"])
async def test_an_unknown_incident_is_not_found(rest_service: RestService, part: str) -> None:
    answer = await get(rest_service, f"/v1/incidents/inc-none{part}")

    assert answer.status_code == 404
    assert "inc-none" in answer.json()["detail"]


async def test_a_report_is_there_at_the_end_and_not_before(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()

    early = await get(rest_service, f"/v1/incidents/{incident_id}/report")
    await end(rest_service, incident_id)
    late = await get(rest_service, f"/v1/incidents/{incident_id}/report")

    assert (early.status_code, early.json()["type"]) == (404, "urn:mendgate:problem:report-not-written")
    assert (late.status_code, late.text) == (200, "# Fine again\n")
    assert late.headers["content-type"].startswith("text/markdown")


async def test_evidence_is_whole(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    call = ReadCall(tool="kubectl_get", arguments={"resourceType": "pods"})
    await rest_service.ledger.incidents.add_evidence(
        incident_id, epoch, call, ToolResult("x" * 50_000, is_error=False)
    )

    answer = await get(rest_service, f"/v1/incidents/{incident_id}/evidence")

    (item,) = answer.json()["items"]
    assert (item["id"], len(item["text"])) == ("E1", 50_000)


async def test_only_a_failed_incident_can_be_retried(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    path = f"/v1/incidents/{incident_id}/retry"

    refused = await rest_service.client.post(path, headers=rest_service.as_("alice"))
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.fail(incident_id, epoch, "the cluster is unreachable")
    retried = await rest_service.client.post(path, headers=rest_service.as_("alice"))

    assert refused.status_code == 409
    assert (retried.status_code, retried.json()) == (202, {"incident_id": incident_id})
    assert rest_service.retried == [(incident_id, "alice")]


async def test_the_events_of_an_ended_incident_come_whole_and_then_stop(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    await end(rest_service, incident_id)

    answer = await get(rest_service, f"/v1/incidents/{incident_id}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert parse(answer.text) == [("1", "alert_received"), ("2", "ended")]


@pytest.mark.parametrize(("query", "headers"), [("?after=1", {}), ("", {"Last-Event-ID": "1"})])
async def test_events_go_on_behind_the_last_one_seen(
    rest_service: RestService, query: str, headers: dict[str, str]
) -> None:
    incident_id = await rest_service.open_incident()
    await end(rest_service, incident_id)

    answer = await get(rest_service, f"/v1/incidents/{incident_id}/events{query}", **headers)

    assert parse(answer.text) == [("2", "ended")]


async def test_who_has_seen_the_end_is_told_not_to_come_back(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    await end(rest_service, incident_id)

    answer = await get(rest_service, f"/v1/incidents/{incident_id}/events?after=2")

    assert (answer.status_code, answer.text) == (204, "")


async def test_events_are_followed_while_the_run_goes_on(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    following = asyncio.create_task(get(rest_service, f"/v1/incidents/{incident_id}/events"))
    epoch = await rest_service.ledger.incidents.begin_run(incident_id)
    await rest_service.ledger.incidents.record(
        incident_id, epoch, "error", {"reason": "a try failed; it goes on"}
    )
    await rest_service.ledger.incidents.record(incident_id, epoch, "reasoned", {"reason": "看 ü\n"})

    await end(rest_service, incident_id)

    answer = await asyncio.wait_for(following, 60)
    kinds = [kind for _, kind in parse(answer.text)]
    assert kinds == ["alert_received", "error", "reasoned", "ended"]
    assert data(answer.text)[2]["data"] == {"reason": "看 ü\n"}


async def test_a_closing_service_ends_its_event_streams(rest_service: RestService) -> None:
    incident_id = await rest_service.open_incident()
    following = asyncio.create_task(get(rest_service, f"/v1/incidents/{incident_id}/events"))

    rest_service.dependencies.closing.set()

    await asyncio.wait_for(following, 60)


async def test_the_kill_switch_tells_who_set_it_and_why(rest_service: RestService) -> None:
    body = {"engaged": True, "reason": "drill"}

    before = (await get(rest_service, "/v1/controls/kill-switch")).json()
    await rest_service.client.put("/v1/controls/kill-switch", json=body, headers=rest_service.as_("admin"))
    after = (await get(rest_service, "/v1/controls/kill-switch")).json()

    assert before == {"engaged": False, "by": "", "reason": "", "at": None}
    assert (after["engaged"], after["by"], after["reason"]) == (True, "admin", "drill")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"starts_at": "2999-01-01T00:00:00"}, "/starts_at"),
        ({"reason": " "}, "/reason"),
        ({"forever": True}, "/forever"),
    ],
)
async def test_a_freeze_that_makes_no_sense_is_refused_by_field(
    rest_service: RestService, change: dict[str, Any], pointer: str
) -> None:
    now = datetime.now(UTC)
    body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=1)).isoformat(), "reason": "x"}

    answer = await rest_service.client.post(
        "/v1/freezes", json=body | change, headers=rest_service.as_("admin")
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await get(rest_service, "/v1/freezes")).json()["items"] == []


def parse(stream: str) -> list[tuple[str, str]]:
    blocks = stream.replace("\r\n", "\n").strip().split("\n\n")
    events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(event["id"], event["event"]) for event in events]


def data(stream: str) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data")
    ]
