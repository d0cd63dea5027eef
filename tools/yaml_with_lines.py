"""YAML documents for people: read into a model, with every mistake by its line.

Every value is read as the text that stands there: `no` is a namespace and 18:00 a time of day, not what
YAML makes of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from tools.errors import BadInput

_NULL = "tag:yaml.org,2002:null"
_Model = TypeVar("_Model", bound=BaseModel)
Path = tuple[str | int, ...]


class DocumentUnusable(BadInput):
    """The file isn't what it should be; `faults` are its mistakes, each as `file:line: what is wrong`."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def parse_document(
    text: str, file: str, model: type[_Model], *, opening: str, error: type[DocumentUnusable]
) -> _Model:
    """Return what a YAML text says. Raises `error` with all that is wrong, and never with a value.

    `opening` tells how such a document begins, for whoever wrote no mapping.
    """
    source = _Source()
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        document = source.read(root, ()) if root else None
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise error((f"{file}:{line}: {getattr(fault, 'problem', None) or fault}",)) from fault
    except RecursionError as fault:
        raise error((f"{file}:1: it is nested too deeply",)) from fault
    if not isinstance(document, dict):
        raise error((f"{file}:1: {opening}",))
    try:
        parsed = model.model_validate(document)
    except ValidationError as fault:
        found = (source.locate(one["loc"], _tell(one, model)) for one in fault.errors())
        raise error(_spell(file, [*source.faults, *found])) from fault
    if source.faults:
        raise error(_spell(file, source.faults))
    return parsed


@dataclass
class _Source:
    """A YAML document as plain values, and the lines on which they stand."""

    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def read(self, node: yaml.Node, path: Path) -> Any:
        """Return a node's value; what YAML lets pass and isn't wanted here is added to `faults`."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self.faults.append((node.start_mark.line + 1, "aliases aren't read here: write it out"))
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return {key: self.read(value, (*path, key)) for key, value in self._items(node, path)}
        if isinstance(node, yaml.SequenceNode):
            return [self.read(one, (*path, number)) for number, one in enumerate(node.value)]
        return None if node.tag == _NULL else node.value

    def _items(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        known = set[str]()
        for key, value in node.value:
            line, name = key.start_mark.line + 1, str(key.value)
            if name in known:
                self.faults.append((line, f"{name} stands here twice"))
            known.add(name)
            self.lines[*path, name] = line
            yield name, value

    def locate(self, path: Path, message: str) -> tuple[int, str]:
        """Return the line of the nearest part that stands in the document, and the fault with its place."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        named = [one for one in path if one != "[key]"]
        place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in named).lstrip(".")
        return self.lines.get(known, 1), f"{place}: {message}"


def _tell(fault: Any, model: type[BaseModel]) -> str:
    """Return what is wrong with one value, and what is allowed there."""
    match fault["type"]:
        case "extra_forbidden":
            return f"isn't known here: allowed are {', '.join(_allowed_at(fault['loc'][:-1], model))}"
        case "missing":
            return "is missing"
        case "tuple_type":
            return "must be a list"
        case "dict_type" | "model_type":
            return "must be a mapping"
        case _:
            return str(fault["msg"]).removeprefix("Value error, ")


def _allowed_at(path: Path, model: type[BaseModel]) -> list[str]:
    """Return what the part of a document at `path` may hold."""
    for step in path:
        if isinstance(step, str) and step in model.model_fields:
            model = next(_models(model.model_fields[step].annotation), model)
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _spell(file: str, faults: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(f"{file}:{line}: {message}" for line, message in sorted(set(faults)))
