"""What changed in a workload's template since it last ran, from its older revisions."""

from collections.abc import Iterator
from dataclasses import dataclass

from graph.runbooks.evidence.decisive_lines import quote_ends
from graph.runbooks.evidence.past_runs import describe_good_run
from graph.runbooks.evidence.revisions import Past, list_past
from graph.runbooks.evidence.snapshot import Snapshot
from graph.runbooks.objects.answers import quote
from graph.runbooks.objects.workloads import Workload
from tools.kubernetes.diff import FieldChange, diff_objects
from tools.redaction.redactor import is_blanked

_MOST = 4
_LONGEST = 48


@dataclass(frozen=True)
class Changes:
    """What changed, in a sentence. `undo` is the command that takes it back, empty where that may do harm."""

    said: str
    evidence: str
    undo: str = ""


def describe_changes(snapshot: Snapshot) -> Changes | None:
    """Return what changed since a revision that ran, or since the last one; None: nothing is known.

    Where the present template ran well at first, that is said instead: then its change explains nothing.
    """
    if snapshot.revisions is None:
        return None
    for sighting in snapshot.sightings():
        if sighting.status.restart_count and (ran := describe_good_run(snapshot, sighting)):
            said = f"Its present template isn't new to this ({ran}): look at what changed outside of it."
            return Changes(said, snapshot.pods.evidence)
    for past in list_past(snapshot):
        if changes := list(_changes(past.revision, snapshot.workload.value)):
            return Changes(
                _tell(past, changes), snapshot.revisions.evidence, _undo(past, snapshot.workload.value)
            )
    return None


def _changes(then: Workload, now: Workload) -> Iterator[FieldChange]:
    documents = (
        each.spec.template.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for each in (then, now)
    )
    changes = [each for each in diff_objects(*documents) if not each.path.startswith("metadata.labels")]
    yield from sorted(changes, key=lambda each: each.path.startswith("metadata."))


def _tell(past: Past, changes: list[FieldChange]) -> str:
    more = f"; and {len(changes) - _MOST} more" if len(changes) > _MOST else ""
    ran = past.proof or "whether that ran isn't recorded"
    listed = "; ".join(_write(each) for each in changes[:_MOST])
    return f"Changed since revision {past.revision.revision} ({ran}): {listed}{more}."


def _undo(past: Past, workload: Workload) -> str:
    """Return the command; nothing where nobody saw the revision run, or where it would meet newer data."""
    keeps_data = any(workload.data_volume(each) for each in workload.pod_spec.containers)
    if not past.proof or not past.revision.revision or keeps_data:
        return ""
    what = f"{workload.kind.lower()}/{workload.metadata.name} -n {workload.metadata.namespace}"
    return f"kubectl rollout undo {what} --to-revision={past.revision.revision}"


def _write(change: FieldChange) -> str:
    path = quote(change.path.removeprefix("spec."))
    if change.added:
        return f"{path} was added" + _value(change.after, ": ")
    if change.removed:
        return f"{path} was removed" + _value(change.before, ", it was ")
    if is_blanked(change.before) or is_blanked(change.after):
        return f"{path}"
    return f"{path} {_value(change.before)} → {_value(change.after)}"


def _value(value: object, before: str = "") -> str:
    """Return a value that is short and isn't hidden; empty for any other."""
    if is_blanked(value) or isinstance(value, dict):
        return ""
    text = str(value)
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return f"{before}{quote_ends(shown)}"
