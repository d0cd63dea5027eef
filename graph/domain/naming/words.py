"""The words of a name: which of them say in which environment, region or part of a system something belongs.

`orders-config-stg` has three words. A word that is known, or that other names of the namespace have too, is
meant as it is: a difference between two of them is no slip of the pen.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from graph.domain.naming.regions import find_regions

_LONGEST = 1_000
_SHORTEST = 3
_LETTERS_PER_SLIP = 4
_MOST_SLIPS = 3
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[^a-z0-9]+")
# two words that are one: `pre-prod` is no part of production
_COMPOUND = re.compile(r"\b(pre|non)[-_. ](?=prd|prod)")
_DEVICE = re.compile(r"(?<![a-z0-9])/dev/")
_NUMBERED = re.compile(r"(?P<word>[a-z]+(?:2e)?)(?P<number>\d{0,3})")
_ENVIRONMENTS = {
    word: name
    for name, words in {
        "production": "prod prd production live",
        "staging": "stg stag stage staging",
        "development": "dev devel develop development",
        "testing": "test tst testing",
        "qa": "qa qc",
        "acceptance": "uat acc acceptance",
        "preproduction": "pre preprod preprd preproduction",
        "nonproduction": "nonprod nonprd nonproduction",
        "integration": "int integ integration sit",
        "sandbox": "sandbox sbx sbox",
        "canary": "canary",
        "demonstration": "demo",
        "performance": "perf performance loadtest",
        "preview": "preview review",
        "blue": "blue",
        "green": "green",
        "ci": "ci e2e",
        "recovery": "dr",
        "beta": "beta",
        "alpha": "alpha",
    }.items()
    for word in words.split()
}
COMPONENTS = frozenset(
    {
        "api", "app", "web", "www", "worker", "workers", "job", "jobs", "cron", "scheduler", "frontend",
        "front", "backend", "back", "server", "client", "gateway", "proxy", "ingress", "admin", "auth",
        "login", "db", "database", "cache", "queue", "broker", "consumer", "producer", "publisher",
        "subscriber", "reader", "writer", "migrate", "migrator", "migration", "sync", "importer",
        "exporter", "ui", "portal", "dashboard", "site", "static", "cdn", "mobile", "ios", "android",
        "public", "private", "internal", "external", "primary", "secondary", "replica", "master", "slave",
        "main", "leader", "follower", "read", "write", "debug", "trace", "init", "batch", "stream",
        "webhook", "webhooks", "controller", "operator", "agent", "sidecar",
    }
)  # fmt: skip
"""Words that usually say which part of a system something is."""


def split_words(text: str) -> tuple[str, ...]:
    """Return the lower-case words of a name, a reference or a command; of a long text, those of its start."""
    humps = _HUMP.sub("-", text[:_LONGEST]).lower()
    joined = _COMPOUND.sub(r"\1", _DEVICE.sub(" ", humps))
    return tuple(word for word in _SEPARATOR.split(joined) if word)


def find_environments(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the environments that words say, each with the word itself; `stg2` is another one than `stg1`."""
    for word in words:
        match = _NUMBERED.fullmatch(word)
        if match and (name := _ENVIRONMENTS.get(match["word"])):
            yield name + match["number"], word


def is_known(word: str) -> bool:
    """Whether a word is known to say an environment, a region, or a part of a system."""
    words = (word,)
    return word in COMPONENTS or any(find_environments(words)) or any(find_regions(words))


def are_two(one: str, other: str, elsewhere: Collection[str] = ()) -> bool:
    """Whether two words of a name are each meant as they are, so that neither is a slip of the other.

    `elsewhere` are the words of other names of the namespace.
    """
    if one == other:
        return False
    if min(len(one), len(other)) < _SHORTEST or _without_digits(one) == _without_digits(other):
        return True
    if is_known(one) and is_known(other):
        return True
    return one in elsewhere and other in elsewhere


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


def is_slip(one: str, other: str) -> bool:
    """Whether a slip of the pen turns one word into the other: one letter of four, three at most."""
    most = min(_MOST_SLIPS, max(1, len(one) // _LETTERS_PER_SLIP))
    return abs(len(one) - len(other)) <= most and count_slips(one, other) <= most


def _without_digits(word: str) -> str:
    return re.sub(r"\d+", "0", word)
