"""The nearest existing name: what somebody probably meant, or nothing where that isn't plain."""

import re
from collections.abc import Iterable

from graph.domain.naming.words import are_two, count_slips, is_slip, split_words

_SHORTEST = 3
_MOST_SEPARATORS = 3
_LONGEST = 253
_SEPARATOR = re.compile(r"[-_./]")


def find_nearest(wanted: str, existing: Iterable[str], elsewhere: Iterable[str] = ()) -> str | None:
    """Return the one existing name that a slip of the pen turns into the wanted one, or None.

    The slip is within one word of the name: one letter of four is left out, put in, changed, or swapped with
    its neighbour, three at most; or a separator is left out or put in. A second name as near as the first
    makes it ambiguous. Words that say something in both names are two names and no slip (`orders-stg` and
    `orders-prd`, `db-1` and `db-2`, `api-config` and `app-config`), and so are words that both occur in other
    names of the namespace; `elsewhere` are some of these.
    """
    if not _SHORTEST <= len(wanted) <= _LONGEST:
        return None
    names = sorted({name for name in existing if name != wanted and len(name) <= _LONGEST})
    near = sorted((slips, name) for name in names if (slips := _count(wanted, name)) is not None)
    if not near or (len(near) > 1 and near[1][0] == near[0][0]):
        return None
    nearest = near[0][1]
    others = [name for name in (*names, *elsewhere) if name not in {wanted, nearest}]
    known = {word for name in others for word in split_words(name)}
    return None if _are_two_names(wanted, nearest, known) else nearest


def _count(one: str, other: str) -> int | None:
    """Return how many slips lie between two names, or None where more than one word differs."""
    here, there = _SEPARATOR.split(one), _SEPARATOR.split(other)
    if "".join(here) == "".join(there):
        slips = count_slips(one, other)
        return slips if slips <= _MOST_SEPARATORS else None
    differing = [pair for pair in zip(here, there, strict=False) if pair[0] != pair[1]]
    if len(here) != len(there) or len(differing) != 1 or not is_slip(*differing[0]):
        return None
    return count_slips(*differing[0])


def _are_two_names(one: str, other: str, known: set[str]) -> bool:
    pairs = zip(_SEPARATOR.split(one), _SEPARATOR.split(other), strict=False)
    same_letters = _SEPARATOR.sub("", one) == _SEPARATOR.sub("", other)
    return not same_letters and any(
        here != there and are_two(here.lower(), there.lower(), known) for here, there in pairs
    )
