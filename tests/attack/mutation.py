"""One thing that the tests must miss once it is taken away."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One thing taken away: each text of `edits`, by file, is exchanged for another. `tests` must see it."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]
