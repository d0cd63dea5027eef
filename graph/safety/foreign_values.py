"""Values that name another environment, region, tenant or part of the system than the object they are for.

They exist, look right and may even work: a staging workload runs happily on production's configuration. So no
verification shows the mistake, and it is looked for before.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from graph.domain.changes.new_values import NewValue, flatten
from graph.domain.naming.identity import Identity
from graph.domain.naming.regions import are_compatible, find_regions
from graph.domain.naming.words import COMPONENTS, find_environments, is_known, is_slip, split_words
from tools.registry.image_tags import is_flavour, is_version, tag_words

Field = Literal["image", "reference", "text"]
_LONGEST_VALUE = 4_000
_SHOWN = 80
# of the words of a long command: what is compared with more of them would take too long
_MOST_OLDS = 20
_NAMES = frozenset({"secretName", "claimName", "serviceAccountName", "serviceAccount", "priorityClassName"})
_REFERENCES = frozenset(
    {
        "configMapRef",
        "secretRef",
        "configMapKeyRef",
        "secretKeyRef",
        "configMap",
        "secret",
        "imagePullSecrets",
    }
)
_SELECTORS = frozenset({"selector", "nodeSelector", "matchLabels", "nodeAffinity", "labels"})
# how a program behaves, not where it belongs: staging runs with NODE_ENV=production
_MODES = frozenset({"NODE_ENV", "RAILS_ENV", "RACK_ENV", "FLASK_ENV", "MIX_ENV", "GIN_MODE"})
_SCOPED = re.compile(r"ENV|STAGE|PROFILE|REGION|ZONE|LOCATION|COUNTRY|SITE|TENANT|CUSTOMER", re.IGNORECASE)
_CHUNK = re.compile(r"[^\s,;=\"']+")


def find_strays(values: Iterable[NewValue], before: Mapping[str, Any], own: Identity) -> tuple[str, ...]:
    """Return in words what each new value names that isn't the object's own; `before` is the whole object."""
    olds: dict[str, dict[str, None]] = {}
    for old in flatten((), before):
        if isinstance(old.value, str):
            olds.setdefault(old.path, {})[old.value] = None
    found: dict[str, None] = {}
    for value in values:
        then = olds.get(value.path, {})
        field = _field_of(value)
        new = field and isinstance(value.value, str) and value.value not in then
        if field and new and (why := _judge(field, value, list(then)[:_MOST_OLDS], own)):
            found[f"`{value.value[:_SHOWN]}` {why}"] = None
    return tuple(found)


def _field_of(value: NewValue) -> Field | None:
    keys = value.keys
    if value.removed or value.by_server or not keys:
        return None
    if keys[-1] == "image":
        return "image"
    if keys[-1] in {"command", "args"} or value.steps[-1] == "value":
        return "text"
    named = keys[-1] in _NAMES or (keys[-1] in {"name", "key"} and _REFERENCES & set(keys))
    return "reference" if named or _SELECTORS & set(keys) else None


def _judge(field: Field, value: NewValue, olds: Collection[str], own: Identity) -> str:
    """Return half a sentence that says what is wrong with a value, or an empty text."""
    text = value.value[:_LONGEST_VALUE]
    said = [word for chunk in _chunks(field, value.field, text) for word in chunk]
    if field == "image":
        said = [word for word in said if not is_version(word)]
    known = _words_of(olds)
    # a text or an image may be long, with words that were there before; a reference is to one thing
    strict = field == "reference"
    whys = (
        *((_environment(said, known, own, strict=strict),) if value.field not in _MODES else ()),
        _region(said, known, own, strict=strict),
        _rival(field, [word for word in said if word not in known], own),
        *(_replaced(field, old, text, own) for old in olds),
        *(_variant(old, text, own) for old in olds if field == "image"),
    )
    return next(filter(None, whys), "")


def _words_of(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in split_words(text)]


def _chunks(field: Field, name: str, text: str) -> Iterator[tuple[str, ...]]:
    """Yield the words that name something: of a text, those of compound names, or of a telling variable."""
    if field != "text":
        yield split_words(text)
        return
    for chunk in _CHUNK.findall(text):
        words = split_words(chunk)
        if len(words) > 1 or _SCOPED.search(name):
            yield words


def _environment(said: Sequence[str], known: Sequence[str], own: Identity, *, strict: bool) -> str:
    then = dict(find_environments(known))
    ours = own.environments or then
    kept = {} if strict and own.environments else then
    now = {name: word for name, word in find_environments(said) if name not in kept}
    if not now or not ours or now.keys() & ours.keys():
        return ""
    whose = f", and {own.title} is" if own.environments else " instead of"
    return f"names {next(iter(now.values()))}{whose} {next(iter(ours.values()))}"


def _region(said: Sequence[str], known: Sequence[str], own: Identity, *, strict: bool) -> str:
    then = dict(find_regions(known))
    ours = own.regions or then
    kept = {} if strict and own.regions else then
    for region, word in find_regions(said):
        if ours and region not in kept and not any(are_compatible(region, each) for each in ours):
            whose = f", and {own.title} is" if own.regions else " instead of"
            return f"names {word}{whose} {next(iter(ours.values()))}"
    return ""


def _rival(field: Field, new: Sequence[str], own: Identity) -> str:
    rivals = own.tenants if field == "text" else own.rivals
    for word in new:
        if word in rivals and rivals[word] not in new:
            return f"names {word}, and {own.title} is {rivals[word]}"
    return ""


def _replaced(field: Field, old: str, text: str, own: Identity) -> str:
    """Return which word that means something was replaced by another one that does."""
    here, there = split_words(old), split_words(text)
    if len(here) != len(there):
        return ""
    for then, now in zip(here, there, strict=True):
        if then == now or is_version(then) or is_version(now):
            continue
        ours = then in own.words and now not in own.words
        two = (is_known(then) and is_known(now)) or {then, now} <= own.around
        if ours or (two and field != "text"):
            return f"names {now} instead of {then}"
    return ""


def _variant(old: str, image: str, own: Identity) -> str:
    """Return how the words of the tag show that the image holds another program, or a variant of it."""
    then, now = tag_words(old), tag_words(image)
    added = [word for word in now if word not in then and not is_flavour(word)]
    dropped = [word for word in then if word not in now and word in COMPONENTS | own.words]
    if added and not any(is_slip(word, added[0]) for word in then):
        return f"has {added[0]} in its tag, which the image before hasn't"
    return f"lacks {dropped[0]} in its tag, which the image before has" if dropped and not added else ""
