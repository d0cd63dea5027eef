"""The nearest existing name: what somebody probably meant, or nothing where that isn't plain."""

import re
from collections.abc import Iterable

_SHORTEST = 3
_LETTERS_PER_SLIP = 4
_MOST_SLIPS = 3
_LONGEST = 253
_SEPARATOR = re.compile(r"[-_./]")
_DIGIT = re.compile(r"\d+")


def find_nearest(wanted: str, existing: Iterable[str]) -> str | None:
    """Return the one existing name that a slip of the pen turns into the wanted one, or None.

    One slip per four letters is allowed, three at most: a letter left out, put in, changed, or two swapped.
    A second name as near as the first makes it ambiguous. Names that differ in a number or in a part of one
    or two letters (`db-1` and `db-2`, `shop-eu` and `shop-us`) are two names and no slip.
    """
    if not _SHORTEST <= len(wanted) <= _LONGEST:
        return None
    most = min(_MOST_SLIPS, max(1, len(wanted) // _LETTERS_PER_SLIP))
    near = sorted(
        (distance, name)
        for name in set(existing)
        if name != wanted and len(name) <= _LONGEST and abs(len(name) - len(wanted)) <= most
        if (distance := count_slips(wanted, name)) <= most
    )
    if not near or (len(near) > 1 and near[1][0] == near[0][0]):
        return None
    nearest = near[0][1]
    return None if _are_two(wanted, nearest) else nearest


def count_slips(one: str, other: str) -> int:
    """Return how many letters must be changed, added, removed, or swapped with their neighbour."""
    rows = [list(range(len(other) + 1))]
    for number, letter in enumerate(one, start=1):
        row, above = [number], rows[-1]
        for place, there in enumerate(other, start=1):
            cost = min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != there))
            if number > 1 and place > 1 and (letter, one[number - 2]) == (other[place - 2], there):
                cost = min(cost, rows[-2][place - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def _are_two(one: str, other: str) -> bool:
    """Whether names differ where a difference is meant: in digits, or in a part of one or two letters."""
    parts = list(zip(_SEPARATOR.split(one), _SEPARATOR.split(other), strict=False))
    if len(_SEPARATOR.split(one)) != len(_SEPARATOR.split(other)):
        return False
    differing = [pair for pair in parts if pair[0] != pair[1]]
    return any(
        min(len(here), len(there)) < _SHORTEST or _DIGIT.sub("0", here) == _DIGIT.sub("0", there)
        for here, there in differing
    )
