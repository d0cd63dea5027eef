"""Every command: documented with an example, and as JSON where it prints facts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from api.cli.main import app

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
_RUNNING = {"serve", "reader", "demo", "sandbox"}


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
        return
    for name, one in inner.items():
        yield from commands(one, *path, name)


ALL = dict(commands(get_command(app)))


@pytest.mark.parametrize("name", ALL)
def test_a_commands_help_has_an_example_of_it(name: str) -> None:
    (example,) = re.findall(r"Example: (.+)", ALL[name].help)

    assert f"mendgate {name}" in example


@pytest.mark.parametrize("name", ALL)
def test_a_command_is_documented_with_an_example_and_each_of_its_options(name: str) -> None:
    (section,) = re.findall(rf"^### `mendgate {name}`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)

    options = [parameter.opts[0] for parameter in ALL[name].params if parameter.param_type_name == "option"]
    assert f"\nmendgate {name}" in section
    assert [
        option for option in options if option not in {"--help", "--output"} and option not in section
    ] == []


def test_the_page_knows_no_other_commands() -> None:
    assert set(re.findall(r"^### `mendgate (.+)`$", PAGE, re.MULTILINE)) == set(ALL)


@pytest.mark.parametrize("name", sorted(set(ALL) - _RUNNING))
def test_a_command_that_prints_facts_does_so_as_json_too(name: str) -> None:
    assert any("--output" in parameter.opts for parameter in ALL[name].params)


@pytest.mark.parametrize("example", re.findall(r"^mendgate [^|>\n]+", PAGE, re.MULTILINE))
def test_an_example_on_the_page_is_what_the_command_takes(example: str) -> None:
    words = shlex.split(example)[1:]
    name = max((known for known in ALL if " ".join(words).startswith(known)), key=len)

    context = ALL[name].make_context(name, words[len(name.split()) :])

    assert context.args == []
