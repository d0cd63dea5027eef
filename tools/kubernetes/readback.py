"""What a write has made of an object, held against what was approved.

The dry-run right before the write says what the object becomes. Whatever the object is instead was changed on
the way, as by an admission webhook that leaves dry-runs alone, or by somebody else right after.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tools.kubernetes.change_text import show_change
from tools.kubernetes.diff import FieldChange, diff_objects
from tools.redaction.redactor import redact

DEVIATES = "the object isn't as approved: "
"""How the outcome of an applied write begins that is more, or something else, than what was approved."""
_MOST_SHOWN = 6
_VALUE_CHARACTERS = 160
_REPLICAS = "spec.replicas"
# What controllers write on objects by themselves.
_BY_CONTROLLERS = ('metadata.annotations["deployment.kubernetes.io/',)


def fingerprint(document: Mapping[str, Any]) -> str:
    """Return a SHA-256, in hex, of an object's specification, by which a later run knows it again.

    What looks like a credential is left out of it, so that nobody can try values against it; so is the number
    of replicas, which autoscalers change.
    """
    spec = {key: value for key, value in document.get("spec", {}).items() if key != "replicas"}
    spelled = json.dumps(redact(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(spelled.encode()).hexdigest()


def find_deviation(
    expected: Mapping[str, Any], live: Mapping[str, Any], approved: Iterable[FieldChange], *, moved_on: bool
) -> str:
    """Return in words what is otherwise than the dry-run said, or an empty text.

    `moved_on` says that the specification was changed once more since: an autoscaler's word on the number of
    replicas is no deviation then, and what else differs may be somebody else's.
    """
    ours = {change.path for change in approved}
    found = [
        change
        for change in diff_objects(expected, live)
        if not change.path.startswith(_BY_CONTROLLERS)
        and not (moved_on and change.path == _REPLICAS and _REPLICAS not in ours)
    ]
    if not found:
        return ""
    shown = "; ".join(show_change(change, _VALUE_CHARACTERS) for change in found[:_MOST_SHOWN])
    more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    whose = "by the write, or by somebody right after it" if moved_on else "by the write itself"
    return f"{DEVIATES}changed beyond the approval, {whose}: {shown}{more}"


def find_unlikeness(expected: str | None, live: Mapping[str, Any]) -> str:
    """Do so after a crash, when only the fingerprint of what was expected is left (None: not even that)."""
    if expected == fingerprint(live):
        return ""
    why = "is otherwise than the dry-run said" if expected else "can't be compared with the dry-run any more"
    return (
        f"{DEVIATES}its specification {why}, and mendgate stopped before it could tell what the write "
        "changed and what somebody else did"
    )
