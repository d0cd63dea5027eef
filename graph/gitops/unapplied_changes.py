"""A change that is known and isn't mendgate's to make: what exactly to set, where, and how to see it.

Whoever owns the object, its namespace, or the policy may speak against a live patch; the value that helps is
the same. What looks secret is never spelled, and what is long is shortened.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from graph.domain.alerts.targets import Target
from graph.domain.diagnosis import Candidate
from graph.gitops.manifest_sources import find_sources
from graph.policy import spell_fields
from tools.kubernetes.change_text import hide, name_field, show_value
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH, PatchArguments
from tools.kubernetes.resource_types import find_kind
from tools.redaction.redactor import redact, redact_text
from tools.text.field_path import split_path
from tools.text.plain_text import shorten

_MOST_CHANGES, _MOST_CHARACTERS, _MOST_COMMAND = 20, 300, 4_000
_MOST_SHOWN = 5
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class UnappliedChange(BaseModel):
    """What would have been proposed, without secrets and bounded. `why` says what speaks against it."""

    model_config = ConfigDict(frozen=True)

    why: str
    target: Target
    changes: tuple[FieldChange, ...]
    left_out: int
    """How many more changes there are."""
    command: str


def describe_unapplied(
    why: str, call: PatchArguments, diff: Iterable[FieldChange] | None, before: Mapping[str, Any] | None
) -> UnappliedChange:
    """Return a change in full. `diff` None: no dry-run was made, and the patch's own text is asked.

    `before` None: the object isn't at hand, so that its old values aren't known.
    """
    listed = [one for one in (spell_fields(call) if diff is None else diff) if one.path != APPROVAL_PATH]
    if diff is None and before is not None:
        listed = [_with_old(one, before) for one in listed]
    shown = [_hidden(one) for one in listed[:_MOST_CHANGES]]
    command = call.model_copy(update={"patch_data": redact(call.change)}).as_command()
    return UnappliedChange(
        why=redact_text(why),
        target=Target(kind=find_kind(call.resource_type).kind, namespace=call.namespace, name=call.name),
        changes=tuple(shown),
        left_out=len(listed) - len(shown),
        command=shorten(command, _MOST_COMMAND),
    )


def advise_on_unapplied(
    change: UnappliedChange,
    candidate: Candidate,
    before: Mapping[str, Any] | None,
    evidence: Iterable[str],
) -> tuple[str, ...]:
    """Return what a person should set, where, why, and the commands that show it."""
    sources = find_sources(before or {})
    where = ", ".join(one.place for one in sources) or "in the manifest that it was applied from"
    cited = "".join(f" [{one}]" for one in evidence)
    orders = "; ".join(_order(one) for one in change.changes[:_MOST_SHOWN])
    lines = [
        (
            f"{orders[:1].upper()}{orders[1:]} on {change.target}, {where}."
            f" Why: {redact_text(candidate.basis)}{cited}"
        ),
        *(f"To see where that is: {one.command}" for one in sources if one.command),
        *_see(change),
    ]
    if not sources:
        lines.append(f"To apply it yourself: {change.command}")
    return tuple(lines)


def _order(one: FieldChange) -> str:
    field = name_field(one.path)
    if one.removed:
        return f"remove {field} (it is {_show(one, one.before)})"
    was = "it isn't set" if one.added else f"it is {_show(one, one.before)}"
    return f"set {field} to {_show(one, one.after)} ({was})"


def _show(one: FieldChange, value: Any) -> str:
    return show_value(one, value, _MOST_CHARACTERS)


def _see(change: UnappliedChange) -> Iterable[str]:
    about = change.target
    for one in change.changes[:1]:
        path = shlex.quote(f"{{{_json_path(one.path)}}}")
        yield (
            f"To see the value: kubectl get {about.kind.lower()} {about.name} -n {about.namespace} -o"
            f" jsonpath={path}"
        )


def _json_path(path: str) -> str:
    """Return a diff's path as kubectl's jsonpath."""
    steps = []
    for step in split_path(path):
        if step.startswith("["):
            steps.append(f"[?(@.name=={_quoted(step[1:-1])})]")
        else:
            steps.append(f".{step}" if _PLAIN_KEY.fullmatch(step) else f".{step.replace('.', chr(92) + '.')}")
    return "".join(steps)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', "") + '"'


def _with_old(one: FieldChange, before: Mapping[str, Any]) -> FieldChange:
    value: Any = before
    for step in split_path(one.path):
        if step.startswith("[") and isinstance(value, list):
            named = (each for each in value if isinstance(each, Mapping) and each.get("name") == step[1:-1])
            value = next(named, None)
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            return one.model_copy(update={"added": not one.removed})
    return one.model_copy(update={"before": value, "added": False})


def _hidden(one: FieldChange) -> FieldChange:
    return one.model_copy(
        update={side: _bounded(hide(one.path, getattr(one, side))) for side in ("before", "after")}
    )


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return shorten(value, _MOST_CHARACTERS)
    if value is None or isinstance(value, bool | int | float):
        return value
    spelled = str(value)
    return value if len(spelled) <= _MOST_CHARACTERS else shorten(spelled, _MOST_CHARACTERS)
