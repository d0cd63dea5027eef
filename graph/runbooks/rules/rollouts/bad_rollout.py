"""A container crashes since its template was changed: propose what the revision before it ran.

Only what differs is put back, and only if that revision is known to have run, or if nothing but the command
line was changed. It is less sure than any runbook that knows why. Where the present revision has run well,
where a dependency fails the program, or where data would meet an older image, a person decides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graph.runbooks.evidence.crashes import Crash, list_crashes
from graph.runbooks.evidence.dependencies import speaks_of_dependency
from graph.runbooks.evidence.past_runs import describe_good_run
from graph.runbooks.evidence.revisions import Past, list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.finding import Finding, Remedy, combine, unique
from graph.runbooks.objects.pod_template import Container
from tools.registry.image_reference import parse_image


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the newest revision's containers crash and an older one's didn't, or None."""
    crashes = tuple(list_crashes(snapshot))
    ways = tuple(tuple(_remedies(snapshot, crash)) for crash in crashes)
    if not crashes or not all(ways):
        return None
    workload = snapshot.workload.value
    names = " and ".join(each.name for each in crashes)
    against = tuple(
        one for crash, each in zip(crashes, ways, strict=True) if (one := _object(snapshot, crash, each))
    )
    since = "crashes" if against else "crashes since its template was last changed"
    return Finding(
        subject=workload.target,
        fault=f"{workload}: container {names} {since}{''.join(f'; {each.why}' for each in against)}",
        cause=" ".join(_explain(each) for each in crashes),
        confidence="medium",
        evidence=unique(
            (
                snapshot.workload.evidence,
                snapshot.pods.evidence,
                *(each.last_words.evidence for each in crashes if each.last_words),
            )
        ),
        options=() if against else combine(workload, ways),
        advice=(*filter(None, map(_quote, crashes)), *unique(each.advice for each in against))
        if against
        else (_roll_back(snapshot),),
        prevention=("Keep old pods until new ones are ready (maxUnavailable 0), and start images in CI.",),
    )


@dataclass(frozen=True)
class _Objection:
    why: str
    advice: str


def _object(snapshot: Snapshot, crash: Crash, ways: Sequence[Remedy]) -> _Objection | None:
    """Return why the older revision isn't put back, though it differs, or None.

    Another image, command or environment explains nothing where the present one has run well, and another
    image nothing where a dependency refuses the program.
    """
    look = "Look at what it depends on and at what changed outside of it, before its template is changed."
    if ran := describe_good_run(snapshot, crash.sighting):
        return _Objection(f"its present revision isn't the reason: {ran}", look)
    only_image = all(each.fields.keys() == {"image"} for each in ways)
    words = crash.last_words
    if only_image and words and speaks_of_dependency(words.value):
        return _Objection(f'what it depends on fails it: "{quote(words.value)}"', look)
    volume = snapshot.workload.value.data_volume(crash.container)
    if volume and any("image" in each.fields for each in ways):
        return _Objection(
            f"it keeps data on volume {volume}, and an older image may not read, or may damage, what the"
            " newer one has written there",
            "Save the volume first (a snapshot or a dump), and read the release notes on going back; then,"
            f" if it is safe: {_roll_back(snapshot)}",
        )
    return None


def _quote(crash: Crash) -> str:
    words = crash.last_words
    return f'Container {crash.name} says: "{quote(words.value)}" [{words.evidence}]' if words else ""


def _roll_back(snapshot: Snapshot) -> str:
    workload = snapshot.workload.value
    return (
        f"Roll back: kubectl rollout undo {workload.kind.lower()}/{workload.metadata.name}"
        f" -n {workload.metadata.namespace}; then find out from the log why the change crashes."
    )


def _remedies(snapshot: Snapshot, crash: Crash) -> Iterator[Remedy]:
    for past in list_past(snapshot):
        older = past.revision.pod_spec.find(crash.name)
        fields = _changed(crash.container, older) if older else {}
        if not fields or (not past.proof and not fields.keys() <= {"command", "args"}):
            continue
        image = parse_image(str(fields["image"])) if "image" in fields else None
        if "image" in fields and (image is None or not image.is_fixed):
            continue
        what = ", ".join(fields)
        yield Remedy(
            container=crash.name,
            fields=fields,
            change=f"put {what} of container {crash.name} back",
            grounding="last_good_revision",
            basis=past.tell(f"had another {what}"),
            confidence=_confidence(past),
            risk="medium",
            evidence=past.evidence,
        )


def _confidence(past: Past) -> Any:
    return "medium" if past.proof else "low"


def _changed(now: Container, then: Container) -> dict[str, Any]:
    """Return the patch that puts back what may make a program crash."""
    fields: dict[str, Any] = {}
    if now.image != then.image:
        fields["image"] = then.image
    if now.command != then.command:
        fields["command"] = list(then.command) or None
    if now.args != then.args:
        fields["args"] = list(then.args) or None
    if variables := _variables(now, then):
        fields["env"] = variables
    if now.env_from != then.env_from:
        fields["envFrom"] = [each.as_patch() for each in then.env_from] or None
    return fields


def _variables(now: Container, then: Container) -> list[dict[str, Any]]:
    older = {each.name: each.as_patch() for each in then.env}
    newer = {each.name: each.as_patch() for each in now.env}
    added = [{"name": name, "$patch": "delete"} for name in newer if name not in older]
    changed = [
        # a value and a source exclude each other: the one that isn't wanted must go
        {**{key: None for key in newer.get(name, {}) if key not in variable}, **variable}
        for name, variable in older.items()
        if newer.get(name) != variable
    ]
    return [*changed, *added]


def _explain(crash: Crash) -> str:
    end = crash.end
    how = f"ends with {quote(end.reason) or 'exit'} {end.exit_code}" if end else "can't be started"
    words = f' Its log says: "{quote(crash.last_words.value)}".' if crash.last_words else ""
    return f"Container {crash.name} {how}.{words}"
