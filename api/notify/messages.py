"""What a channel gets: a message that a person can act on, and the same as JSON for machines.

What comes from the cluster, from a model or from a person is made inert and cut first; the rest is ours.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from graph.domain.notifications import Event, Notice
from tools.kubernetes.change_text import show_change, show_value
from tools.kubernetes.diff import FieldChange
from tools.kubernetes.patch import APPROVAL_PATH
from tools.notify.apprise_sender import Mood
from tools.redaction.redactor import redact_text
from tools.text.plain_text import make_inert

VERSION = 1
_MOST_NAME, _MOST_TEXT, _MOST_TITLE = 160, 400, 120
_MOST_LINES = 8
_MINUTES_PER_HOUR = 60
_TITLES: dict[Event, str] = {
    "proposed": "A fix waits for approval",
    "reminded": "Still waiting for approval",
    "approved": "Approved",
    "rejected": "Rejected",
    "edited": "Edited",
    "revoked": "Approval revoked",
    "expired": "Expired",
    "withdrawn": "Not needed any more",
    "verified": "Fixed and verified",
    "not_verified": "Applied, but it didn't help",
    "undetermined": "Applied, but nobody could tell whether it helped",
    "outcome_unknown": "Unknown whether the fix was applied",
    "handed_over": "Handed over to you",
    "unresolved": "Not resolved",
    "failed": "mendgate failed",
}
_MOODS: dict[Event, Mood] = {
    "verified": "success", "approved": "info", "edited": "info", "withdrawn": "info", "proposed": "warning",
    "reminded": "warning", "rejected": "info", "revoked": "info", "expired": "warning",
    "handed_over": "warning",
}  # fmt: skip
_ASKED: dict[Event, str] = {
    "approved": "nothing; it is applied and then verified.",
    "rejected": "nothing; the diagnosis gets the reason.",
    "edited": "nothing here; the edited proposal waits for its own approval.",
    "revoked": "nothing; nothing is written.",
    "expired": "look at the incident: nothing was written.",
    "withdrawn": "nothing; the alerts have resolved and the workload is healthy.",
    "verified": "nothing.",
    "not_verified": "wait: another fix, an undo or a hand-over follows.",
    "undetermined": "look at the workload yourself.",
    "outcome_unknown": "look at the object, then settle it: mendgate resolve {approval} --outcome …",
    "handed_over": "read the report, and do what it says: mendgate report {incident}",
    "unresolved": "read the report, and go on by hand: mendgate report {incident}",
    "failed": "read why, then try again: mendgate retry {incident}",
}


@dataclass(frozen=True)
class Message:
    """One message: for people a title and a text, for machines a JSON document of the same."""

    id: str
    title: str
    body: str
    mood: Mood
    document: dict[str, Any]

    @property
    def payload(self) -> bytes:
        """The document as it is sent."""
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()


def compose(message_id: str, notice: Notice, public_url: str | None, now: datetime) -> Message:
    """Return the message about one notice, in its current state."""
    link = f"{public_url}/incidents/{notice.incident_id}" if public_url else None
    asked = _ask(notice)
    decided = f"{_inert(notice.by, _MOST_NAME)}: " if notice.by else ""
    lines = [
        ("Change", _inert(notice.summary)),
        *(("", line) for line in _changes(notice)),
        ("Alert", f"{_inert(notice.alertname, _MOST_NAME)} ({_inert(notice.severity, _MOST_NAME)})"),
        ("Target", _target(notice)),
        ("Risk", notice.risk or ""),
        *(("Look at this", _inert(reason)) for reason in notice.risk_reasons[:_MOST_LINES]),
        ("Said", f"{decided}{_inert(notice.reason)}" if decided or notice.reason else ""),
        ("Asked of you", asked),
        ("Time left", _time_left(notice, now)),
        ("Incident", link or notice.incident_id),
    ]
    body = "\n".join(f"{name}: {value}" if name else f"  {value}" for name, value in lines if value)
    title = _title(notice)
    document = _document(notice.event, notice.at, {"title": title, "asked": asked, **_facts(notice, link)})
    return Message(message_id, title, body, _MOODS.get(notice.event, "failure"), document)


def compose_digest(
    message_id: str, notices: Sequence[Notice], count: int, public_url: str | None, now: datetime
) -> Message:
    """Return one message about several notices: a line for each of the first, and how many there are."""
    more = f"and {count - 1} more"
    lines = [f"- {_title(one)} ({one.incident_id}){_briefly(one)}" for one in notices]
    if count > len(notices):
        lines.append(f"- and {count - len(notices)} more")
    lines.append(f"Incidents: {public_url}" if public_url else "See them all: mendgate incidents")
    title = f"{_title(notices[0])} {more}"
    facts = {"title": title, "count": count, "incident_ids": [one.incident_id for one in notices]}
    return Message(message_id, title, "\n".join(lines), "warning", _document("digest", now, facts))


def _briefly(notice: Notice) -> str:
    return f": {_inert(notice.summary, _MOST_TITLE)}" if notice.summary else ""


def _changes(notice: Notice) -> list[str]:
    """Return the diff, a line for each changed field, and how many have no room."""
    changes = _shown_diff(notice)
    lines = [_inert(show_change(one), _MOST_TEXT) for one in changes[:_MOST_LINES]]
    more = len(changes) - len(lines)
    return [*lines, *([f"and {more} more changed fields: see the incident"] if more else [])]


def _shown_diff(notice: Notice) -> list[FieldChange]:
    return [one for one in notice.diff if one.path != APPROVAL_PATH]


def compose_test(message_id: str, channel: str, now: datetime) -> Message:
    """Return a message that only shows that a channel works."""
    title = "A test of mendgate"
    body = f"Channel {channel} works. Nothing is asked of you."
    return Message(message_id, title, body, "info", _document("test", now, {"title": title}))


def _document(event: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": f"mendgate.{event}", "version": VERSION, "timestamp": _instant(at), "data": data,
    }  # fmt: skip


def _facts(notice: Notice, link: str | None) -> dict[str, Any]:
    target = notice.target
    incident = {
        "id": notice.incident_id, "alertname": _inert(notice.alertname, _MOST_NAME),
        "severity": _inert(notice.severity, _MOST_NAME), "url": link,
        "target": target and {
            "kind": _inert(target.kind, _MOST_NAME), "name": _inert(target.name, _MOST_NAME),
            "namespace": target.namespace and _inert(target.namespace, _MOST_NAME),
        },
    }  # fmt: skip
    approval = notice.approval_id and {
        "id": notice.approval_id, "status": notice.approval_status, "risk": notice.risk,
        "risk_reasons": [_inert(reason) for reason in notice.risk_reasons],
        "summary": _inert(notice.summary), "changes": _documents(notice),
        "changed_fields": len(_shown_diff(notice)),
        "decide_by": notice.decide_by and _instant(notice.decide_by),
    }  # fmt: skip
    said = {"by": _inert(notice.by, _MOST_NAME) or None, "reason": _inert(notice.reason) or None}
    return {"incident": incident, "approval": approval, **said}


def _documents(notice: Notice) -> list[dict[str, Any]]:
    """Return the first changed fields for machines; null is a field that isn't there."""
    return [
        {
            "path": _inert(one.path),
            "before": None if one.added else _inert(show_value(one, one.before, _MOST_TEXT)),
            "after": None if one.removed else _inert(show_value(one, one.after, _MOST_TEXT)),
        }
        for one in _shown_diff(notice)[:_MOST_LINES]
    ]


def _ask(notice: Notice) -> str:
    if notice.event in {"proposed", "reminded"}:
        if notice.approval_status != "pending":
            return f"nothing any more; it is {notice.approval_status}."
        return f"approve, reject or edit it: mendgate approve {notice.approval_id}"
    if notice.event == "approved" and notice.approval_status == "pending":
        return f"the policy wants another approver: mendgate approve {notice.approval_id}"
    return _ASKED[notice.event].format(incident=notice.incident_id, approval=notice.approval_id)


def _title(notice: Notice) -> str:
    target = _target(notice)
    return _inert(f"{_TITLES[notice.event]}: {target or notice.alertname}", _MOST_TITLE)


def _target(notice: Notice) -> str:
    return _inert(str(notice.target), _MOST_NAME) if notice.target else ""


def _time_left(notice: Notice, now: datetime) -> str:
    if notice.approval_status != "pending" or notice.decide_by is None:
        return ""
    minutes = max(timedelta(0), notice.decide_by - now) // timedelta(minutes=1)
    hours, rest = divmod(minutes, _MINUTES_PER_HOUR)
    left = f"{hours} h {rest} min" if hours else f"{rest} min"
    return f"{left} (until {notice.decide_by:%Y-%m-%d %H:%M} UTC)"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _inert(text: str, most: int = _MOST_TEXT) -> str:
    return make_inert(redact_text(text), most)
