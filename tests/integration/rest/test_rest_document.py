"""docs/api.md is complete: every operation with role, answers, parameters and fields, and no other."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from httpx import codes

from api.config.roles import Role, includes
from api.rest.problems import KINDS
from tests.integration.rest.rest_service import PEOPLE, RestService, open_rest_service

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
_ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \| (\w+) \| ([\d ]+) \| (.+) \|$", re.MULTILINE)
_PROBLEM = re.compile(r"^\| (\d{3}) \| `([\w-]+)` \|", re.MULTILINE)
_TAKEN_AS_IT_COMES = "AlertGroup"
_OF_ANY_PAGE = frozenset({"limit", "continue"})  # a section of their own


@dataclass(frozen=True)
class Row:
    """What the page says of one operation."""

    role: str
    codes: list[str]
    text: str


ROWS = {(verb, path): Row(role, told.split(), text) for verb, path, role, told, text in _ROW.findall(PAGE)}


@pytest.fixture
async def rest_service(tmp_path: Path) -> AsyncIterator[RestService]:
    async with open_rest_service(tmp_path) as opened:
        yield opened


def test_the_page_has_every_operation_and_no_other(rest_service: RestService) -> None:
    assert set(ROWS) == set(_operations(rest_service))


def test_each_row_names_every_answer_parameter_and_field(rest_service: RestService) -> None:
    for operation, described in _operations(rest_service).items():
        row = ROWS[operation]
        parameters = {one["name"] for one in described.get("parameters", []) if one["in"] != "path"}
        named = (parameters - _OF_ANY_PAGE) | set(_fields(rest_service, described))

        assert row.codes == sorted(described["responses"]), operation
        assert [name for name in sorted(named) if f"`{name}`" not in row.text] == [], operation


async def test_each_row_names_the_role_that_is_let_in(rest_service: RestService) -> None:
    for (verb, path), row in ROWS.items():
        for name, role in PEOPLE.items():
            answer = await rest_service.client.request(verb, path, headers=rest_service.as_(name))
            let_in = row.role in {"none", "any"} or includes(role, cast("Role", row.role))
            assert (answer.status_code != codes.FORBIDDEN) is let_in, (verb, path, name)
        stranger = await rest_service.client.request(verb, path)
        assert (stranger.status_code != codes.UNAUTHORIZED) is (row.role == "none"), (verb, path)


def test_every_kind_of_problem_is_on_the_page_with_its_code() -> None:
    listed = {(int(code), slug) for code, slug in _PROBLEM.findall(PAGE)}

    assert listed == {(kind.status, kind.slug) for kind in KINDS.values()}


def test_the_example_of_a_problem_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    example = json.loads(text)

    kinds = {(kind.type, kind.title, kind.status) for kind in KINDS.values()}
    assert (example["type"], example["title"], example["status"]) in kinds


def _operations(rest_service: RestService) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (verb.upper(), path): operation
        for path, operations in rest_service.app.openapi()["paths"].items()
        for verb, operation in operations.items()
    }


def _fields(rest_service: RestService, described: dict[str, Any]) -> Iterator[str]:
    """Yield the names in the body, however it is referred to."""
    schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for option in schema.get("anyOf", [schema]):
        name = option.get("$ref", "").rpartition("/")[2]
        if name not in {"", _TAKEN_AS_IT_COMES}:
            yield from rest_service.app.openapi()["components"]["schemas"][name]["properties"]
