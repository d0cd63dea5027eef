"""What an older revision of a workload does without."""

from functools import cached_property
from typing import Any

from graph.domain.changes.new_values import NewValue
from graph.provenance.evidence_search import Document

_MOST_NODES = 20_000
_MOST_DEPTH = 64


class Revision:
    """One ReplicaSet or ControllerRevision, and the id of the evidence that has it."""

    def __init__(self, evidence: str, document: Document) -> None:
        self.evidence = evidence
        self.name = document.name
        self.origin = document.origin
        self._content = document.content

    def lacks(self, value: NewValue) -> bool:
        """Whether it has the same container, or other named item, without this field.

        One that is larger than a specification can be lacks nothing.
        """
        named = next((place for place, step in enumerate(value.steps) if step.startswith("[")), None)
        around = value.steps[: named + 1] if named is not None and named + 1 < len(value.steps) else ("spec",)
        return around in self._nodes and value.steps not in self._nodes

    @cached_property
    def _nodes(self) -> frozenset[tuple[str, ...]]:
        """The ways to everything in it that isn't null; empty where there is too much."""
        found = set[tuple[str, ...]]()
        pending: list[tuple[tuple[str, ...], Any]] = [((), self._content)]
        while pending:
            steps, one = pending.pop()
            if one is None:
                continue
            found.add(steps)
            if len(found) + len(pending) > _MOST_NODES or len(steps) > _MOST_DEPTH:
                return frozenset()
            if isinstance(one, dict):
                pending += (((*steps, key), item) for key, item in one.items())
            elif isinstance(one, list):
                items = (item for item in one if isinstance(item, dict))
                pending += (((*steps, f"[{item.get('name')}]"), item) for item in items)
        return frozenset(found)
