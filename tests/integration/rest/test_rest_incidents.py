"""Incidents over REST: read, followed live, retried; and the controls beside them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from graph.diagnosis import ReadCall
from graph.incident import Ending
from tests.integration.rest.house import House
from tools.tool_session import ToolResult

ENDING = Ending(status="no_action", reason="healthy again")


async def get(house: House, path: str, **headers: str) -> httpx.Response:
    return await house.client.get(path, headers=house.as_("viewer") | headers)


async def end(house: House, incident_id: str) -> None:
    epoch = await house.ledger.incidents.begin_run(incident_id)
    await house.ledger.incidents.finish(incident_id, epoch, ENDING, "# Fine again\n")


async def test_incidents_are_listed_and_read(house: House) -> None:
    incident_id = await house.open_incident()

    listed = (await get(house, "/v1/incidents?status=open")).json()
    read = (await get(house, f"/v1/incidents/{incident_id}")).json()

    assert listed == {"items": [read], "continue": None}
    assert (read["alertname"], read["status"], read["verdict"]) == ("KubePodNotReady", "open", None)


@pytest.mark.parametrize("part", ["", "/report", "/events", "/evidence"])
async def test_an_unknown_incident_is_not_found(house: House, part: str) -> None:
    answer = await get(house, f"/v1/incidents/inc-none{part}")

    assert answer.status_code == 404
    assert "inc-none" in answer.json()["detail"]


async def test_a_report_is_there_at_the_end_and_not_before(house: House) -> None:
    incident_id = await house.open_incident()

    early = await get(house, f"/v1/incidents/{incident_id}/report")
    await end(house, incident_id)
    late = await get(house, f"/v1/incidents/{incident_id}/report")

    assert (early.status_code, early.json()["type"]) == (404, "urn:alertmend:problem:report-not-written")
    assert (late.status_code, late.text) == (200, "# Fine again\n")
    assert late.headers["content-type"].startswith("text/markdown")


async def test_evidence_is_whole(house: House) -> None:
    incident_id = await house.open_incident()
    epoch = await house.ledger.incidents.begin_run(incident_id)
    call = ReadCall(tool="kubectl_get", arguments={"resourceType": "pods"})
    await house.ledger.incidents.add_evidence(
        incident_id, epoch, call, ToolResult("x" * 50_000, is_error=False)
    )

    answer = await get(house, f"/v1/incidents/{incident_id}/evidence")

    (item,) = answer.json()["items"]
    assert (item["id"], len(item["text"])) == ("E1", 50_000)


async def test_only_a_failed_incident_can_be_retried(house: House) -> None:
    incident_id = await house.open_incident()
    path = f"/v1/incidents/{incident_id}/retry"

    refused = await house.client.post(path, headers=house.as_("alice"))
    epoch = await house.ledger.incidents.begin_run(incident_id)
    await house.ledger.incidents.fail(incident_id, epoch, "the cluster is unreachable")
    retried = await house.client.post(path, headers=house.as_("alice"))

    assert refused.status_code == 409
    assert (retried.status_code, retried.json()) == (202, {"incident_id": incident_id})
    assert house.retried == [(incident_id, "alice")]


async def test_the_events_of_an_ended_incident_come_whole_and_then_stop(house: House) -> None:
    incident_id = await house.open_incident()
    await end(house, incident_id)

    answer = await get(house, f"/v1/incidents/{incident_id}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert parse(answer.text) == [("1", "alert_received"), ("2", "ended")]


@pytest.mark.parametrize(("query", "headers"), [("?after=1", {}), ("", {"Last-Event-ID": "1"})])
async def test_events_go_on_behind_the_last_one_seen(
    house: House, query: str, headers: dict[str, str]
) -> None:
    incident_id = await house.open_incident()
    await end(house, incident_id)

    answer = await get(house, f"/v1/incidents/{incident_id}/events{query}", **headers)

    assert parse(answer.text) == [("2", "ended")]


async def test_who_has_seen_the_end_is_told_not_to_come_back(house: House) -> None:
    incident_id = await house.open_incident()
    await end(house, incident_id)

    answer = await get(house, f"/v1/incidents/{incident_id}/events?after=2")

    assert (answer.status_code, answer.text) == (204, "")


async def test_events_are_followed_while_the_run_goes_on(house: House) -> None:
    incident_id = await house.open_incident()
    following = asyncio.create_task(get(house, f"/v1/incidents/{incident_id}/events"))
    epoch = await house.ledger.incidents.begin_run(incident_id)
    await house.ledger.incidents.record(incident_id, epoch, "error", {"reason": "a try failed; it goes on"})
    await house.ledger.incidents.record(incident_id, epoch, "reasoned", {"reason": "看 ü\n"})

    await end(house, incident_id)

    answer = await asyncio.wait_for(following, 60)
    kinds = [kind for _, kind in parse(answer.text)]
    assert kinds == ["alert_received", "error", "reasoned", "ended"]
    assert data(answer.text)[2]["data"] == {"reason": "看 ü\n"}


async def test_a_closing_service_ends_its_event_streams(house: House) -> None:
    incident_id = await house.open_incident()
    following = asyncio.create_task(get(house, f"/v1/incidents/{incident_id}/events"))

    house.door.closing.set()

    await asyncio.wait_for(following, 60)


async def test_the_kill_switch_tells_who_set_it_and_why(house: House) -> None:
    body = {"engaged": True, "reason": "drill"}

    before = (await get(house, "/v1/controls/kill-switch")).json()
    await house.client.put("/v1/controls/kill-switch", json=body, headers=house.as_("admin"))
    after = (await get(house, "/v1/controls/kill-switch")).json()

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
    house: House, change: dict[str, Any], pointer: str
) -> None:
    now = datetime.now(UTC)
    body = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=1)).isoformat(), "reason": "x"}

    answer = await house.client.post("/v1/freezes", json=body | change, headers=house.as_("admin"))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await get(house, "/v1/freezes")).json()["items"] == []


def parse(stream: str) -> list[tuple[str, str]]:
    blocks = stream.replace("\r\n", "\n").strip().split("\n\n")
    events = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(event["id"], event["event"]) for event in events]


def data(stream: str) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data")
    ]
