"""docs/api.md is complete: every operation with role, answers, parameters and fields, and no other."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from httpx import codes

from api.app import create_app
from api.door import Door
from api.problems import KINDS
from api.tokens import Role, includes
from tests.integration.rest.house import PEOPLE, open_house

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
_ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \| (\w+) \| ([\d ]+) \| (.+) \|$", re.MULTILINE)
_PROBLEM = re.compile(r"^\| (\d{3}) \| `([\w-]+)` \|", re.MULTILINE)
_TAKEN_AS_IT_COMES = "AlertGroup"


@dataclass(frozen=True)
class Row:
    """What the page says of one operation."""

    role: str
    codes: list[str]
    text: str


DESCRIPTION: dict[str, Any] = create_app(cast("Door", None)).openapi()  # which asks nobody behind the door
ROWS = {(verb, path): Row(role, codes.split(), text) for verb, path, role, codes, text in _ROW.findall(PAGE)}
OPERATIONS = {
    (verb.upper(), path): operation
    for path, operations in DESCRIPTION["paths"].items()
    for verb, operation in operations.items()
}


def test_the_page_has_every_operation_and_no_other() -> None:
    assert set(ROWS) == set(OPERATIONS)


@pytest.mark.parametrize("operation", sorted(OPERATIONS), ids=" ".join)
def test_a_row_names_every_answer_parameter_and_field(operation: tuple[str, str]) -> None:
    row, described = ROWS[operation], OPERATIONS[operation]
    paged = {"limit", "continue"}  # a section of their own
    parameters = {one["name"] for one in described.get("parameters", []) if one["in"] != "path"} - paged
    named = parameters | set(_fields(described))

    assert row.codes == sorted(described["responses"])
    assert [name for name in sorted(named) if f"`{name}`" not in row.text] == []


async def test_a_row_names_the_role_that_is_let_in(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for (verb, path), row in ROWS.items():
            for name, role in PEOPLE.items():
                answer = await house.client.request(verb, path, headers=house.as_(name))
                let_in = row.role in {"none", "any"} or includes(role, cast("Role", row.role))
                assert (answer.status_code != codes.FORBIDDEN) is let_in, (verb, path, name)
            stranger = await house.client.request(verb, path)
            assert (stranger.status_code != codes.UNAUTHORIZED) is (row.role == "none"), (verb, path)


def test_every_kind_of_problem_is_on_the_page_with_its_code() -> None:
    listed = {(int(code), slug) for code, slug in _PROBLEM.findall(PAGE)}

    assert listed == {(kind.status, kind.slug) for kind in KINDS.values()}


def test_the_example_of_a_problem_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    example = json.loads(text)

    kinds = {(kind.type, kind.title, kind.status) for kind in KINDS.values()}
    assert (example["type"], example["title"], example["status"]) in kinds


def _fields(described: dict[str, Any]) -> Iterator[str]:
    """Yield the names in the body, however it is referred to."""
    schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for option in schema.get("anyOf", [schema]):
        name = option.get("$ref", "").rpartition("/")[2]
        if name not in {"", _TAKEN_AS_IT_COMES}:
            yield from DESCRIPTION["components"]["schemas"][name]["properties"]
