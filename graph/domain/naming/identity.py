"""Whose an object is: its environment, its region, and the words that tell it from its neighbours.

Taken from its name and labels, and where these don't say, from its namespace. What tells it from a neighbour
is the word in which their names differ (`acme-api` and `globex-api`), or a label such as `tenant`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graph.domain.naming.regions import Region, find_regions
from graph.domain.naming.words import COMPONENTS, find_environments, split_words

_SCOPES = frozenset(
    {
        "env", "environment", "stage", "region", "zone", "location", "site", "cell", "shard", "tenant",
        "customer", "client", "org", "organisation", "organization", "brand", "market", "country",
        "cluster", "component",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """An object's name and labels."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """Whose values are judged; `title` is how a person is told of it, as `Deployment/orders-stg`.

    `environments` and `regions` have the word that says each. `rivals` are words of neighbours, each with the
    object's own word that stands in its place; `tenants` are those of them that no other part of the same
    system has. `words` are the object's own, `around` those of all other names of the namespace.
    """

    title: str
    words: frozenset[str]
    environments: Mapping[str, str]
    regions: Mapping[Region, str]
    rivals: Mapping[str, str]
    tenants: Mapping[str, str]
    around: frozenset[str]


def identify(
    title: str, own: Labelled, namespace: str, neighbours: Iterable[Labelled], names: Iterable[str] = ()
) -> Identity:
    """Return the identity of an object; `names` are those of the namespace's other objects."""
    words = (*split_words(own.name), *_label_words(own))
    outer = split_words(namespace)
    known = [each for each in neighbours if each.name != own.name]
    rivals = dict(pair for each in known for pair in _rivals(own, each))
    tenants = dict(pair for each in known for pair in _tenants(own, each))
    around = {word for name in (*(each.name for each in known), *names) for word in split_words(name)}
    return Identity(
        title=title,
        words=frozenset(words),
        environments=dict(find_environments(words)) or dict(find_environments(outer)),
        regions=dict(find_regions(words)) or dict(find_regions(outer)),
        rivals={**rivals, **tenants},
        tenants=tenants,
        around=frozenset(around),
    )


def is_apart(own: Identity, neighbour: Identity) -> bool:
    """Whether a neighbour is in another environment or region, or of another tenant: no example to follow."""
    environments = {*neighbour.environments}, {*own.environments}
    regions = {*neighbour.regions}, {*own.regions}
    return any(ours != theirs for theirs, ours in (environments, regions)) or bool(
        neighbour.words & own.tenants.keys()
    )


def _label_words(own: Labelled) -> Iterator[str]:
    for value in own.labels.values():
        yield from split_words(value)


def _differing(own: Labelled, other: Labelled) -> tuple[str, str, frozenset[str]] | None:
    """Return the one word in which two names differ, own and other, and the words that they share."""
    here, there = split_words(own.name), split_words(other.name)
    if len(here) != len(there):
        return None
    pairs = [(ours, theirs) for ours, theirs in zip(here, there, strict=True) if ours != theirs]
    shared = frozenset(here) & frozenset(there)
    return (*pairs[0], shared) if len(pairs) == 1 and shared else None


def _rivals(own: Labelled, other: Labelled) -> Iterator[tuple[str, str]]:
    if (found := _differing(own, other)) and found[1] not in split_words(own.name):
        yield found[1], found[0]


def _tenants(own: Labelled, other: Labelled) -> Iterator[tuple[str, str]]:
    found = _differing(own, other)
    # the part that they share says what they are: the rest says for whom
    if found and found[2] & COMPONENTS and not {found[0], found[1]} & COMPONENTS:
        yield found[1], found[0]
    for key, value in own.labels.items():
        there = other.labels.get(key, value)
        if key.rpartition("/")[2].lower() in _SCOPES and there != value:
            for word in set(split_words(there)) - set(split_words(value)):
                yield word, value
