"""A container crashes since its template was changed: propose what the revision before it ran.

Only what differs is put back, and only if that revision is known to have run, or if nothing but the command
line was changed. It is less sure than any runbook that knows why.
"""

from collections.abc import Iterator
from typing import Any

from graph.images import parse_image
from graph.runbooks.answers import quote
from graph.runbooks.crashes import Crash, list_crashes
from graph.runbooks.finding import Finding, Remedy, combine, unique
from graph.runbooks.history import Past, list_past
from graph.runbooks.snapshot import Snapshot
from graph.runbooks.templates import Container


def diagnose(snapshot: Snapshot) -> Finding | None:
    """Return a finding if the newest revision's containers crash and an older one's didn't, or None."""
    crashes = tuple(list_crashes(snapshot))
    changed = tuple(crash for crash in crashes if any(_remedies(snapshot, crash)))
    if not crashes or changed != crashes:
        return None
    workload = snapshot.workload.value
    names = " and ".join(each.name for each in crashes)
    return Finding(
        subject=workload.target,
        fault=f"{workload}: container {names} crashes since its template was last changed",
        cause=" ".join(_explain(each) for each in crashes),
        confidence="medium",
        evidence=unique(
            (
                snapshot.workload.evidence,
                snapshot.pods.evidence,
                *(each.last_words.evidence for each in crashes if each.last_words),
            )
        ),
        options=combine(workload, (tuple(_remedies(snapshot, each)) for each in crashes)),
        advice=(
            (
                f"Roll back: kubectl rollout undo {workload.kind.lower()}/{workload.metadata.name}"
                f" -n {workload.metadata.namespace}; then find out from the log why the change crashes."
            ),
        ),
        prevention=("Keep old pods until new ones are ready (maxUnavailable 0), and start images in CI.",),
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
    words = f' It was said last: "{quote(crash.last_words.value)}".' if crash.last_words else ""
    return f"Container {crash.name} {how}.{words}"
