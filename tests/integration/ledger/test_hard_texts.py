"""What clusters and people write and databases refuse: NUL, half characters, texts beyond all measure."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from checkpoints.ledger import Ledger
from graph.domain.alerts.payload import AlertGroup
from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import ReadCall
from graph.domain.incident import Ending
from graph.domain.proposal import Proposal
from tests.integration.rest.rest_service import RestService, open_rest_service
from tests.unit.graph.domain.proposals import make_proposal
from tests.unit.graph.domain.test_alerts_and_targets import real_body
from tools.grants import Grant
from tools.mcp.session import ToolResult

NUL = "before\x00after"
LONG = "x" * 10_000


def body_with(**labels: str) -> dict[str, Any]:
    body = real_body()
    for alert in body["alerts"]:
        alert["labels"] = {**alert["labels"], **labels}
    return body


async def open_incident(ledger: Ledger, **labels: str) -> tuple[str, int]:
    receipt = await ledger.intake.accept(AlertGroup.model_validate(body_with(**labels)), b"{}")
    (incident_id,) = receipt.incident_ids
    return incident_id, await ledger.incidents.begin_run(incident_id)


@pytest.mark.parametrize("text", [LONG, NUL, "\U0001f600" * 10_000], ids=["long", "nul", "wide"])
@pytest.mark.parametrize("label", ["alertname", "severity", "namespace", "deployment"])
async def test_an_alert_opens_one_incident_whatever_its_labels_say(
    ledger: Ledger, label: str, text: str
) -> None:
    group = AlertGroup.model_validate(body_with(**{label: text}))

    first = await ledger.intake.accept(group, b"{}")
    again = await ledger.intake.accept(group, b"{}")

    assert len(first.incident_ids) == 1
    assert again.incident_ids == first.incident_ids
    assert (again.new_alerts, again.known_alerts) == (0, 3)
    incident = await ledger.incidents.find(first.incident_ids[0])
    assert len(incident.alertname) <= 255
    assert (await ledger.incidents.group(incident.id)).alerts


async def test_long_names_that_differ_at_their_end_alone_are_two(ledger: Ledger) -> None:
    one = await open_incident(ledger, namespace=f"{LONG}1")  # no target: rule and namespace tell them apart
    body = body_with(namespace=f"{LONG}2")
    for alert in body["alerts"]:
        alert["fingerprint"] = f"other-{alert['fingerprint']}"[:64]

    receipt = await ledger.intake.accept(AlertGroup.model_validate(body), b"{}")

    assert receipt.incident_ids != (one[0],)


async def test_a_fingerprint_with_nul_is_known_again(ledger: Ledger) -> None:
    body = real_body()
    body["alerts"] = [body["alerts"][0] | {"fingerprint": NUL}]
    group = AlertGroup.model_validate(body)

    await ledger.intake.accept(group, b"{}")

    assert (await ledger.intake.accept(group, b"{}")).new_alerts == 0


async def test_evidence_is_kept_whatever_a_log_says(ledger: Ledger) -> None:
    incident_id, epoch = await open_incident(ledger)
    call = ReadCall(tool=f"tool{LONG}", arguments={"name": NUL, NUL: LONG}, server=NUL)

    await ledger.incidents.add_evidence(
        incident_id, epoch, call, ToolResult(text=f"{NUL} \ud800 {LONG}", is_error=False)
    )

    (evidence,) = await ledger.incidents.evidence(incident_id)
    assert evidence.text.endswith(LONG)
    assert evidence.arguments == {"name": NUL, NUL: LONG}
    assert len(evidence.tool) == 128


async def test_timeline_reasons_and_reports_take_any_text(ledger: Ledger) -> None:
    incident_id, epoch = await open_incident(ledger)

    await ledger.incidents.record(incident_id, epoch, "reasoned", {"thought": f"{NUL} {LONG}"})
    await ledger.incidents.set_target(incident_id, epoch, Target(kind="Deployment", namespace=NUL, name=LONG))
    await ledger.incidents.finish(
        incident_id, epoch, Ending(status="handed_over", reason=NUL, advice=(NUL,)), f"# {NUL}"
    )

    assert (await ledger.incidents.find(incident_id)).reason.startswith("before")
    assert (await ledger.incidents.report(incident_id) or "").startswith("# before")


async def test_a_patch_with_nul_reads_back_as_it_was_digested(ledger: Ledger) -> None:
    incident_id, epoch = await open_incident(ledger)
    call = make_proposal().arguments.model_copy(update={"patch_data": {"metadata": {"labels": {"a": NUL}}}})
    proposal: Proposal = make_proposal(incident_id=incident_id, arguments=call, basis=f"{NUL} {LONG}")
    approval = await ledger.approvals.propose(proposal, epoch)
    await ledger.decisions.decide(
        approval.id, by="alice", verdict="approve", digest=approval.digest, reason=f"{NUL} {LONG}"
    )

    grant = await ledger.approvals.claim(approval.id, approval.digest, epoch)

    assert isinstance(grant, Grant)
    assert grant.arguments == call


@pytest.fixture
async def rest_service(tmp_path: Any, database_url: str) -> Any:
    async with open_rest_service(tmp_path, database_url) as opened:
        yield opened


@pytest.mark.parametrize("text", [NUL, LONG], ids=["nul", "long"])
@pytest.mark.parametrize(
    "path", ["/v1/incidents/{}", "/v1/incidents/{}/events", "/v1/approvals/{}", "/v1/approvals?namespace={}"]
)
async def test_a_path_with_any_text_in_it_is_answered(
    rest_service: RestService, path: str, text: str
) -> None:
    answer = await rest_service.client.get(path.format(quote(text)), headers=rest_service.as_("viewer"))

    assert answer.status_code in {200, 404}


async def test_a_token_of_a_list_with_nul_in_it_is_answered(rest_service: RestService) -> None:
    token = "MjAyNi0xMS0yNFQwMDowMDowMCswMDowMCBhAGI="  # an instant, and an id with NUL

    answer = await rest_service.client.get(
        f"/v1/incidents?continue={token}", headers=rest_service.as_("viewer")
    )

    assert answer.status_code == 200


async def test_people_may_write_nul_too(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    path = f"/v1/approvals/{proposal.id}/reject"
    switch = {"engaged": True, "reason": NUL}

    rejected = await rest_service.client.post(path, json={"reason": NUL}, headers=rest_service.as_("alice"))
    stopped = await rest_service.client.put(
        "/v1/controls/kill-switch", json=switch, headers=rest_service.as_("admin")
    )

    assert (rejected.status_code, stopped.status_code) == (201, 200)


async def test_an_alert_name_beyond_all_measure_is_taken_over_rest(rest_service: RestService) -> None:
    raw = json.dumps(body_with(alertname=LONG))

    answer = await rest_service.client.post("/alert", content=raw, headers=rest_service.as_("ingest"))

    assert answer.status_code == 202
    incident = await rest_service.ledger.incidents.find(answer.json()["incident_ids"][0])
    assert incident.alertname.endswith("…")
