"""A container's command can't be run, or names a file that isn't there: propose the one that ran before.

What a healthy neighbour does with the same image comes second. The image's own default is no safe value:
nobody has seen it run here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graph.runbooks.evidence.crashes import Crash, list_crashes
from graph.runbooks.evidence.revisions import list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import Sourced, quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container
from graph.runbooks.repairs.examples import list_examples

_WORDINGS = (
    # runc, through containerd, CRI-O or Docker
    re.compile(
        r'exec: "(?P<what>[^"\n]{1,300})": (?:executable file not found|stat |permission denied|no such)'
    ),
    re.compile(r"exec:? (?P<what>/[^\s:]{1,300}): (?:no such file|permission denied|exec format error)"),
    # shells
    re.compile(r"^\S{0,40}sh: (?:\d+: |line \d+: )?(?P<what>[^\s:]{1,300}): (?:command )?not found$"),
    # interpreters
    re.compile(r"can't open file '(?P<what>[^'\n]{1,300})'"),
    re.compile(r"Cannot find module '(?P<what>[^'\n]{1,300})'"),
    re.compile(r"Could not find or load main class (?P<what>\S{1,300})"),
    re.compile(r"Unable to access jarfile (?P<what>\S{1,300})"),
)
_UNKNOWN_OPTION = re.compile(
    r"(?:unknown|unrecognized|invalid|bad|illegal) (?:flag|option|argument|command|shorthand flag)s?"
    r"[^\w\n]{1,4}?(?P<what>[-\w][-\w.=/]{0,100})|flag provided but not defined: (?P<flag>-[-\w]{1,100})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Fault:
    crash: Crash
    what: str
    said: Sourced[str]


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the template's command or arguments are what a container fails for, or None."""
    faults = tuple(fault for crash in list_crashes(snapshot) if (fault := _find(crash)))
    if not faults:
        return None
    workload = snapshot.workload.value
    named = " and ".join(
        f"container {each.crash.name} can't be run as told: {quote(each.what)}" for each in faults
    )
    return Finding(
        subject=workload.target,
        fault=f"{workload}: {named} is no program, file or option that it has",
        cause=" ".join(_explain(each) for each in faults),
        confidence="high",
        evidence=unique(
            (snapshot.workload.evidence, snapshot.pods.evidence, *(each.said.evidence for each in faults))
        ),
        options=combine(workload, (tuple(_remedies(snapshot, each)) for each in faults)),
        advice=tuple(_advise(snapshot, each) for each in faults),
        prevention=("Start the image with exactly this command in CI before it is deployed.",),
    )


def _find(crash: Crash) -> _Fault | None:
    told = (*crash.container.command, *crash.container.args)
    if not told:
        return None  # then it is the image's own command that fails
    for line in crash.said:
        for wording in (*_WORDINGS, _UNKNOWN_OPTION):
            match = wording.search(line.value[:2_000])
            what = next((each for each in match.groups() if each), "") if match else ""
            if what and _names(told, what):
                return _Fault(crash, what, line)
    return None


def _names(told: tuple[str, ...], what: str) -> bool:
    """Whether the command line names what is missing, as a word of its own or within a shell's script."""
    bare = what.strip("'\"")
    words = {word for part in told for word in (part, *part.split(), part.partition("=")[0])}
    return bare in words or any(
        word.endswith("/" + bare) or bare.endswith("/" + word) for word in words if word
    )


def _remedies(snapshot: Snapshot, fault: _Fault) -> Iterator[Remedy]:
    container = fault.crash.container
    now = (container.command, container.args)
    seen = {now}
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(container.name)
        then = (older.command, older.args) if older else now
        if older is None or then in seen or _names((*older.command, *older.args), fault.what):
            continue
        seen.add(then)
        yield Remedy(
            container=container.name,
            fields=_fields(container, older),
            change=_order(older),
            grounding="last_good_revision",
            basis=past.tell(f"ran {_command_line(older)}"),
            confidence=past.confidence,
            risk="low" if past.proof else "medium",
            evidence=past.evidence,
        )
    for name, other in _siblings(snapshot, container):
        then = (other.command, other.args)
        if then in seen or _names((*other.command, *other.args), fault.what):
            continue
        seen.add(then)
        assert snapshot.siblings is not None, "the sibling came from there"
        yield Remedy(
            container=container.name,
            fields=_fields(container, other),
            change=_order(other, container.name),
            grounding="sibling",
            basis=f"{name} is healthy with {_command_line(other)} and the same image.",
            confidence="medium",
            risk="medium",
            evidence=(snapshot.siblings.evidence,),
        )


def _siblings(snapshot: Snapshot, container: Container) -> Iterator[tuple[str, Container]]:
    for each in list_examples(snapshot):
        for other in each.pod_spec.containers:
            if other.image == container.image and other.name == container.name and other.command:
                yield str(each), other


def _fields(now: Container, then: Container) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if now.command != then.command:
        fields["command"] = list(then.command) or None
    if now.args != then.args:
        fields["args"] = list(then.args) or None
    return fields


def _order(then: Container, name: str = "") -> str:
    return f"let container {name or then.name} run {_command_line(then)}"


def _command_line(container: Container) -> str:
    return quote(" ".join((*container.command, *container.args))) or "the image's own command"


def _explain(fault: _Fault) -> str:
    return (
        f"Container {fault.crash.name} is told to run {_command_line(fault.crash.container)}, and"
        f" {quote(fault.what)} isn't there or isn't understood. It was said: \"{quote(fault.said.value)}\"."
    )


def _advise(snapshot: Snapshot, fault: _Fault) -> str:
    workload, name = snapshot.workload.value, fault.crash.name
    return (
        f"Look up what image {quote(fault.crash.container.image)} has instead of {quote(fault.what)},"
        " and correct"
        f" command and args of container {name}: kubectl edit {workload.kind.lower()}"
        f" {workload.metadata.name}"
        f" -n {workload.metadata.namespace}"
    )
