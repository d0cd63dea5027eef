"""What a reviewer must not overlook in a change: found in its diff, whoever proposes it, and said in words.

A mind prices its own proposals; it can't price these lower. Each level is the least risk that goes with it:
`high` for what runs other code or hands out credentials, `medium` for what moves traffic, pods or settings.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from graph.domain.alerts.targets import Target
from graph.domain.changes.new_values import NewValue, flatten
from tools.kubernetes.change_text import hide, name_field
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH
from tools.registry.image_reference import parse_image
from tools.text.field_path import split_path
from tools.text.plain_text import make_inert

Level = Literal["medium", "high"]
_SHOWN, _WARNING_SHOWN = 120, 300
_CONTAINER = r"(containers|initContainers)"
_PROBE = r"(liveness|readiness|startup)Probe"
_SECRETS = r"(secretKeyRef|secretRef|secret|imagePullSecrets)"
_PLACING = r"(nodeSelector|tolerations|affinity|topologySpreadConstraints|nodeName)"
_HANDLERS = frozenset({"httpGet", "tcpSocket", "grpc", "exec"})
# Where interpreters and loaders take code from, by the name of a variable.
_LOADING = re.compile(
    r"LD_(PRELOAD|LIBRARY_PATH|AUDIT)|DYLD_\w+|PATH|(BASH_)?ENV|PROMPT_COMMAND|IFS|SHELLOPTS|NODE_OPTIONS"
    r"|GCONV_PATH|OPENSSL_(CONF|MODULES|ENGINES)|PERLLIB|GEM_(HOME|PATH)|LUA_(C?PATH|INIT)(_\d)*|PHPRC|PHP_INI_SCAN_DIR"
    r"|NODE_PATH|PYTHON(PATH|STARTUP|HOME|USERBASE)|PERL5(OPT|LIB|DB)|RUBY(OPT|LIB)|(_?JAVA_(TOOL_)?|JDK_JAVA_)?OPT(ION)?S"
    r"|JAVA_OPTS|CATALINA_OPTS|CLASSPATH|GIT_SSH(_COMMAND)?|DOTNET_STARTUP_HOOKS|CORECLR_PROFILER\w*"
)
_IN_ORDER = re.compile(rf"{_CONTAINER}\.(command|args|.*\bexec\.command)")
# The first pattern that fits the keys below the pod's spec (or the object's) says what a new value does.
_SETTING: tuple[tuple[str, Level, str], ...] = (
    (rf"{_CONTAINER}\.(command|args)", "high", "runs another command"),
    (rf"{_CONTAINER}\.(lifecycle|{_PROBE})\..*\bexec\.command", "high", "runs a command in the container"),
    (rf"{_CONTAINER}\.{_PROBE}\.exec\.command", "high", "runs a command in the container"),
    (rf"{_CONTAINER}\.lifecycle\..*", "high", "hooks into the container's life"),
    (rf".*\b{_SECRETS}(\.(name|key|secretName))?", "high", "refers to a Secret"),
    (r".*\b(configMapKeyRef|configMapRef|configMap)\.(name|key)", "medium", "refers to a ConfigMap"),
    (r"(serviceAccount|serviceAccountName|automountServiceAccountToken)", "high", "runs as another identity"),
    (r"(.*\.)?(securityContext|host(Network|PID|IPC|Users|Port|IP))\b.*", "high", "runs with other rights"),
    (rf"{_PLACING}\b.*", "medium", "may run on other nodes"),
    (r"selector\b.*", "medium", "sends traffic to other pods"),
)  # fmt: skip
_DROPPING: tuple[tuple[str, Level, str], ...] = (
    (rf"{_CONTAINER}\.{_PROBE}", "high", "removes a probe"),
    (rf"{_CONTAINER}\.resources\.limits(\.\w+)?", "high", "removes a limit"),
    (rf"{_CONTAINER}\.resources(\.requests(\.\w+)?)?", "medium", "removes what is reserved"),
    (rf"{_CONTAINER}\.(command|args)", "high", "runs another command"),
)


@dataclass(frozen=True)
class Danger:
    """One thing to look at, in words, and the least risk of a change that does it."""

    level: Level
    words: str


def find_dangers(diff: Iterable[FieldChange], target: Target, about: Target | None) -> tuple[Danger, ...]:
    """Return what stands out in a change of `target`, the gravest first.

    `about` is what the incident is about; None: nobody could tell, so that any object is another one.
    """
    found = [danger for change in diff for danger in dangers_of(change)]
    found += _other_object(target, about)
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.level != "high"))


def dangers_in(warnings: Iterable[str]) -> tuple[Danger, ...]:
    """Return what the API server warned about at the dry-run: a person has to read it, whatever it is."""
    return tuple(
        Danger("medium", f"the API server warns: {make_inert(text, _WARNING_SHOWN)}") for text in warnings
    )


def dangers_of(change: FieldChange) -> Iterator[Danger]:
    """Yield what stands out in one changed field."""
    if change.path == APPROVAL_PATH:
        return
    steps = split_path(change.path)
    old = [] if change.added else list(flatten(steps, change.before, names=True))
    new = [] if change.removed else list(flatten(steps, change.after, names=True))
    yield from _image(old, new)
    yield from _set(old, new)
    yield from _dropped(old, new)
    yield from _fewer(change)


def _other_object(target: Target, about: Target | None) -> Iterator[Danger]:
    if target == about:
        return
    # a fault's cause is often a neighbour: a Service before the workload, or the workload behind it
    near = about is not None and target.namespace == about.namespace
    named = f"the incident is about {about}" if about else "nobody could tell what the incident is about"
    yield Danger("medium" if near else "high", _say("changes another object", f"{target}; {named}"))


def _set(old: list[NewValue], new: list[NewValue]) -> Iterator[Danger]:
    """Yield what new values do: a list of words, such as a command, counts as one."""
    added = Counter(map(_key, new)) - Counter(map(_key, old))
    reordered = {value.steps for value in new if _IN_ORDER.fullmatch(_below(value.steps))}
    reordered = {one for one in reordered if _values(one, old) != _values(one, new)}
    fresh = dict.fromkeys(value.steps for value in new if added[_key(value)] or value.steps in reordered)
    for steps in fresh:
        here = [str(hide(_path(steps), value)) for value in _values(steps, new)]
        below = _below(steps)
        if setting := next((one for one in _SETTING if re.fullmatch(one[0], below)), None):
            _, level, words = setting
            yield Danger(level, _say(words, f"{name_field(_path(steps))}: {' '.join(here)}"))
        if variable := _loading(steps):  # from wherever its value comes
            yield Danger("high", _say(f"sets {variable}, by which other code may be loaded", " ".join(here)))


def _dropped(old: list[NewValue], new: list[NewValue]) -> Iterator[Danger]:
    kept = {value.steps for value in new}
    gone = [value.steps for value in old if value.steps not in kept]
    for pattern, level, words in _DROPPING:
        holders = dict.fromkeys(holder for steps in gone if (holder := _holder(pattern, steps)))
        for holder in holders:
            if not any(one[: len(holder)] == holder for one in kept):
                yield Danger(level, _say(words, name_field(_path(holder))))
    yield from _other_handler(gone, kept)


def _holder(pattern: str, steps: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the field that a pattern means, at or above a value."""
    beginnings = (steps[:size] for size in range(1, len(steps) + 1))
    return next((one for one in beginnings if re.fullmatch(pattern, _below(one))), None)


def _other_handler(gone: list[tuple[str, ...]], kept: set[tuple[str, ...]]) -> Iterator[Danger]:
    """Yield that a probe asks in another way, as the diff of a whole probe shows it."""
    for steps in gone:
        place = next((at for at, step in enumerate(steps) if step in _HANDLERS), None)
        if place and re.search(rf"{_PROBE}$", _below(steps[:place])):
            asking = {one[place] for one in kept if one[:place] == steps[:place] and len(one) > place}
            if asking & (_HANDLERS - {steps[place]}):
                yield Danger(
                    "medium", _say("asks for health in another way", name_field(_path(steps[:place])))
                )


def _image(old: list[NewValue], new: list[NewValue]) -> Iterator[Danger]:
    before = {value.steps: str(value.value) for value in old if value.steps[-1:] == ("image",)}
    for value in new:
        if value.steps[-1:] != ("image",) or before.get(value.steps) == value.value:
            continue
        now, was = _source(str(value.value)), _source(before.get(value.steps, ""))
        if now[0] != was[0]:
            yield Danger("high", _say("pulls from another registry", f"{now[0]} (was {was[0]})"))
        elif now != was:
            yield Danger("high", _say("runs another image", f"{now[1]} (was {was[1]})"))


def _source(text: str) -> tuple[str, str]:
    """Return an image's registry and repository; of one that isn't well-formed, as far as it goes."""
    name = text.partition("@")[0]
    image = parse_image(text) or parse_image(
        name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    )
    host, _, repository = image.repository.partition("/") if image else ("unknown", "", name)
    return host, repository


def _fewer(change: FieldChange) -> Iterator[Danger]:
    before, after = change.before, change.after
    if (
        change.path == "spec.replicas"
        and isinstance(before, int)
        and isinstance(after, int)
        and after < before
    ):
        yield Danger("medium", _say("runs fewer replicas", f"{before} → {after}"))


def _loading(steps: tuple[str, ...]) -> str | None:
    names = [step[1:-1] for at, step in enumerate(steps) if at and steps[at - 1] == "env" and step[:1] == "["]
    return next((name for name in names if _LOADING.fullmatch(name.upper())), None)


def _values(steps: tuple[str, ...], found: list[NewValue]) -> list[Any]:
    return [value.value for value in found if value.steps == steps]


def _below(steps: tuple[str, ...]) -> str:
    """Return the keys to a value without the names of list items, below the pod's spec or the object's."""
    keys = [step for step in steps if not step.startswith("[")]
    return ".".join(keys[3:] if keys[:3] == ["spec", "template", "spec"] else keys[1:])


def _key(value: NewValue) -> tuple[tuple[str, ...], str]:
    return value.steps, repr(value.value)


def _path(steps: tuple[str, ...]) -> str:
    return NewValue(steps, None).path


def _say(words: str, what: str) -> str:
    return f"{words}: {make_inert(what, _SHOWN)}"
