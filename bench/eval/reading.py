"""Scenario files: read with every mistake by its file and line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bench.eval.scenario import Scenario
from tools.errors import BadInput

FOLDER = Path(__file__).parent / "scenarios"
_Place = tuple[str | int, ...]


class ScenarioUnusable(BadInput):
    """Some file is no scenario: each mistake as `file:line: what is wrong`."""


def read_scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """Return the scenarios of a folder, by name. Raises `ScenarioUnusable` with all that is wrong."""
    found, faults = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append(read_scenario(path))
        except ScenarioUnusable as error:
            faults.append(str(error))
    if faults:
        raise ScenarioUnusable("\n".join(faults))
    return tuple(found)


def read_scenario(path: Path) -> Scenario:
    """Return the scenario that a file holds. Raises `ScenarioUnusable`."""
    lines = _Lines()
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
        document = lines.read(root, ()) if root else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ScenarioUnusable(f"{path.name}:{mark.line + 1 if mark else 1}: {error}") from error
    faults = list(lines.twice)
    if not isinstance(document, dict):
        raise ScenarioUnusable(f"{path.name}:1: a scenario is a mapping: begin with `title: …`")
    try:
        scenario = Scenario.model_validate({**document, "name": path.stem})
    except ValidationError as error:
        faults += [(lines.line_of(one["loc"]), _tell(one)) for one in error.errors()]
    if faults:
        raise ScenarioUnusable("\n".join(f"{path.name}:{line}: {text}" for line, text in sorted(faults)))
    return scenario


@dataclass
class _Lines:
    """A document as plain values, and the lines on which its parts stand."""

    lines: dict[_Place, int] = field(default_factory=dict)
    twice: list[tuple[int, str]] = field(default_factory=list)

    def read(self, node: yaml.Node, place: _Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return {key: self.read(value, (*place, key)) for key, value in self._items(node, place)}
        if isinstance(node, yaml.SequenceNode):
            return [self.read(one, (*place, number)) for number, one in enumerate(node.value)]
        return yaml.SafeLoader("").construct_object(node)

    def _items(self, node: yaml.MappingNode, place: _Place) -> Iterator[tuple[str, yaml.Node]]:
        known = set[str]()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in known:
                self.twice.append((line, f"{name} stands here twice"))
            known.add(name)
            self.lines[*place, name] = line
            yield name, value

    def line_of(self, place: _Place) -> int:
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def _tell(fault: Any) -> str:
    place = ".".join(str(one) for one in fault["loc"])
    what = {"extra_forbidden": "no scenario has such a key", "missing": "is missing"}
    message = what.get(fault["type"], str(fault["msg"]).removeprefix("Value error, "))
    return f"{place}: {message}" if place else message
