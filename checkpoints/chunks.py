"""Many names in one question: databases bound the number of a statement's parameters."""

from collections.abc import Collection, Iterator

_PARAMETERS = 500


def in_chunks(names: Collection[str]) -> Iterator[list[str]]:
    """Split names into as many lists as it takes."""
    ordered = sorted(names)
    return (ordered[start : start + _PARAMETERS] for start in range(0, len(ordered), _PARAMETERS))
