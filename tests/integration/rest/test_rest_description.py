"""The API describes itself completely: valid OpenAPI, an example of everything, every code of the gate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from api.identity.caller import Caller
from api.rest import openapi_examples
from api.rest.problems import Problem
from api.rest.schemas import (
    ApprovalList,
    ApproveBody,
    AuditList,
    EvidenceList,
    FreezeBody,
    FreezeList,
    IncidentList,
    KillSwitchBody,
    RejectBody,
)
from checkpoints.alerts.webhook_delivery import Receipt
from checkpoints.approvals.write_stops import KillSwitch, WriteStanding
from checkpoints.audit.hash_chain import Verification
from graph.domain.alerts.payload import AlertGroup
from tests.integration.rest.rest_service import RestService

PROBES = ("GET /healthz", "GET /readyz")
GATE = {"200", "201", "403", "404", "409", "410", "412", "422"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Name one database: the description is the same on each."""
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def document(rest_service: RestService) -> dict[str, Any]:
    return rest_service.app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        contents = [(status, one.get("content", {})) for status, one in operation["responses"].items()]
        if "requestBody" in operation:
            contents.append(("body", operation["requestBody"]["content"]))
        for status, content in contents:
            assert content or status == "204", (name, status)
            for media in content.values():
                assert media.get("example") or media.get("examples"), (name, status)


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], (name, status)


def test_the_gates_codes_are_all_described(document: dict[str, Any]) -> None:
    paths = document["paths"]

    approve = paths["/v1/approvals/{approval_id}/approve"]["post"]["responses"]
    reject = paths["/v1/approvals/{approval_id}/reject"]["post"]["responses"]

    assert set(approve) >= GATE | {"401", "423", "428"}
    assert set(reject) >= GATE | {"401"}
    assert not set(reject) & {"423", "428"}


def test_every_path_but_the_probes_asks_for_the_bearer_token(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["bearer"]

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for name, operation in operations(document):
        assert operation.get("security") == (None if name in PROBES else [{"bearer": []}]), name


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (AlertGroup, openapi_examples.WEBHOOK),
        (Receipt, openapi_examples.RECEIPT),
        (IncidentList, openapi_examples.INCIDENTS),
        (EvidenceList, openapi_examples.EVIDENCE),
        (ApprovalList, openapi_examples.APPROVALS),
        (ApprovalList, {"items": [openapi_examples.APPROVED, openapi_examples.REJECTED], "continue": None}),
        (ApproveBody, openapi_examples.APPROVE),
        (RejectBody, openapi_examples.REJECT),
        (KillSwitchBody, openapi_examples.KILL_SWITCH_BODY),
        (KillSwitch, openapi_examples.KILL_SWITCH),
        (AuditList, openapi_examples.AUDIT),
        (Verification, openapi_examples.AUDIT_VERIFICATION),
        (FreezeBody, openapi_examples.FREEZE_BODY),
        (FreezeList, openapi_examples.FREEZES),
        (WriteStanding, openapi_examples.POLICY),
        (Caller, openapi_examples.CALLER),
        (list[Problem], openapi_examples.PROBLEMS),
    ],
)
def test_an_example_is_what_it_is_an_example_of(model: Any, example: Any) -> None:
    TypeAdapter(model).validate_python(example)


async def test_real_answers_have_the_fields_of_their_examples(rest_service: RestService) -> None:
    proposal = await rest_service.propose()

    approval = await rest_service.client.get(
        f"/v1/approvals/{proposal.id}", headers=rest_service.as_("viewer")
    )
    incident = await rest_service.client.get(
        f"/v1/incidents/{proposal.incident_id}", headers=rest_service.as_("viewer")
    )

    assert set(approval.json()) == set(openapi_examples.APPROVAL)
    assert set(incident.json()) == set(openapi_examples.INCIDENT)


async def test_a_real_row_of_the_audit_has_the_fields_of_its_example(rest_service: RestService) -> None:
    proposal = await rest_service.propose()
    path = f"/v1/approvals/{proposal.id}/approve"
    await rest_service.client.post(path, json={"digest": proposal.digest}, headers=rest_service.as_("alice"))

    audit = await rest_service.client.get("/v1/audit", headers=rest_service.as_("alice"))

    (example,) = openapi_examples.AUDIT["items"]
    row = audit.json()["items"][0]
    assert set(row) == set(example)
    assert set(row["document"]) == set(example["document"])


async def test_the_description_is_served_without_a_token(rest_service: RestService) -> None:
    answer = await rest_service.client.get("/openapi.json")

    assert answer.json()["info"]["title"] == "mendgate"
