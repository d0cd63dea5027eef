"""The headline of a change: drawn from its diff, so that nobody can call it what it isn't."""

from collections.abc import Iterable

from graph.domain.alerts.targets import Target
from graph.domain.changes.dangers import dangers_of
from tools.kubernetes.change_text import show_change
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH

MOST_CHARACTERS = 200
_MOST_SHOWN, _MOST_NAME = 3, 63
# the API server counts a DaemonSet's templates there by itself
_COUNTED = 'metadata.annotations["deprecated.daemonset.template.generation"]'


def draw_headline(target: Target, diff: Iterable[FieldChange]) -> str:
    """Return what a change does to an object, on one line of at most `MOST_CHARACTERS`.

    What a reviewer must not overlook comes first; what has no room is counted.
    """
    changes = [one for one in diff if one.path not in {APPROVAL_PATH, _COUNTED}]
    changes.sort(key=lambda one: (not any(dangers_of(one)), one.path))
    name = target.name if len(target.name) <= _MOST_NAME else f"{target.name[: _MOST_NAME - 1]}…"
    head = f"{target.kind}/{name}: "
    room = MOST_CHARACTERS - len(head) - len("; and 99999 more")
    shown: list[str] = []
    for change in changes[:_MOST_SHOWN]:
        line = show_change(change)
        if shown and len("; ".join([*shown, line])) > room:
            break
        shown.append(line if len(line) <= room else f"{line[: room - 1]}…")
    more = len(changes) - len(shown)
    return head + "; ".join(shown) + (f"; and {more} more" if more else "")
