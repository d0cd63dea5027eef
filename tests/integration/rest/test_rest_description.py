"""The API describes itself completely: valid OpenAPI, an example of everything, every code of the gate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from api import examples
from api.auth import Caller
from api.problems import Problem
from api.schemas import (
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
from checkpoints.chain import Verification
from checkpoints.deliveries import Receipt
from checkpoints.stops import KillSwitch, WriteStanding
from graph.alerts import AlertGroup
from tests.integration.rest.house import House

PROBES = ("GET /healthz", "GET /readyz")
GATE = {"200", "201", "403", "404", "409", "410", "412", "422"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Name one database: the description is the same on each."""
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def document(house: House) -> dict[str, Any]:
    return house.app.openapi()


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
        (AlertGroup, examples.WEBHOOK),
        (Receipt, examples.RECEIPT),
        (IncidentList, examples.INCIDENTS),
        (EvidenceList, examples.EVIDENCE),
        (ApprovalList, examples.APPROVALS),
        (ApprovalList, {"items": [examples.APPROVED, examples.REJECTED], "continue": None}),
        (ApproveBody, examples.APPROVE),
        (RejectBody, examples.REJECT),
        (KillSwitchBody, examples.KILL_SWITCH_BODY),
        (KillSwitch, examples.KILL_SWITCH),
        (AuditList, examples.AUDIT),
        (Verification, examples.AUDIT_VERIFICATION),
        (FreezeBody, examples.FREEZE_BODY),
        (FreezeList, examples.FREEZES),
        (WriteStanding, examples.POLICY),
        (Caller, examples.CALLER),
        (list[Problem], examples.PROBLEMS),
    ],
)
def test_an_example_is_what_it_is_an_example_of(model: Any, example: Any) -> None:
    TypeAdapter(model).validate_python(example)


async def test_real_answers_have_the_fields_of_their_examples(house: House) -> None:
    proposal = await house.propose()

    approval = await house.client.get(f"/v1/approvals/{proposal.id}", headers=house.as_("viewer"))
    incident = await house.client.get(f"/v1/incidents/{proposal.incident_id}", headers=house.as_("viewer"))

    assert set(approval.json()) == set(examples.APPROVAL)
    assert set(incident.json()) == set(examples.INCIDENT)


async def test_a_real_row_of_the_audit_has_the_fields_of_its_example(house: House) -> None:
    proposal = await house.propose()
    path = f"/v1/approvals/{proposal.id}/approve"
    await house.client.post(path, json={"digest": proposal.digest}, headers=house.as_("alice"))

    audit = await house.client.get("/v1/audit", headers=house.as_("alice"))

    (example,) = examples.AUDIT["items"]
    row = audit.json()["items"][0]
    assert set(row) == set(example)
    assert set(row["document"]) == set(example["document"])


async def test_the_description_is_served_without_a_token(house: House) -> None:
    answer = await house.client.get("/openapi.json")

    assert answer.json()["info"]["title"] == "alertmend"
