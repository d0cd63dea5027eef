"""What the model is shown. Whatever comes from the cluster stands between markers, as data.

A marker is made from the SHA-256 of the text between it, so that no text can contain its own end.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graph.domain.diagnosis import Evidence
from graph.domain.languages import Language
from graph.llm.prompts import TEXTS
from graph.ports import Case
from tools.redaction.redactor import redact, redact_text
from tools.text.plain_text import shorten

_PIECE_CHARACTERS = 6_000
_FULL_PIECES = 4
_OLD_PIECE_CHARACTERS = 2_000
_ALL_CHARACTERS = 40_000
_ALERT_CHARACTERS = 3_000
_SETBACK_CHARACTERS = 600
_HEAD_CHARACTERS = 300
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def describe_case(case: Case, language: Language) -> str:
    """Return everything that is known, as one message."""
    words = TEXTS[language]
    parts = [
        words["alert"],
        delimit(_describe_alert(case), "alert", language, _ALERT_CHARACTERS),
        words["target"],
        delimit(str(case.target), "target", language, _HEAD_CHARACTERS),
        words["evidence"] if case.evidence else words["no_evidence"],
        *show_evidence(case.evidence, language),
    ]
    if case.failed_attempts:
        said = "\n".join(f"- {shorten(setback, _SETBACK_CHARACTERS)}" for setback in case.failed_attempts)
        parts += [words["failed_attempts"], delimit(said, "failed_attempts", language, _PIECE_CHARACTERS)]
    return "\n\n".join([*parts, words["ask"]])


def delimit(text: str, name: str, language: Language, limit: int) -> str:
    """Return a foreign text between its markers, sanitised and cut to `limit`."""
    # cut last: half a password isn't recognised
    clean = _cut(sanitise(text), limit, language)
    token = hashlib.sha256(clean.encode()).hexdigest()[:16]
    return f"BEGIN {name} {token}\n{clean}\nEND {name} {token}"


def sanitise(text: str) -> str:
    """Return a text without credentials and control characters."""
    return redact_text(_CONTROLS.sub("", text))


def _describe_alert(case: Case) -> str:
    alert = case.group.alerts[0]
    document = {
        "status": alert.status,
        "labels": _strip(alert.labels),
        "annotations": _strip(alert.annotations),
        "startsAt": alert.starts_at.isoformat(),
        "alerts in the group": len(case.group.alerts),
        "pods": [each.labels["pod"] for each in case.group.alerts[:20] if "pod" in each.labels],
    }
    return json.dumps(redact(document), ensure_ascii=False, indent=1)


def _strip(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields without control characters, which JSON would escape, and so hide."""
    return {
        _CONTROLS.sub("", name): _CONTROLS.sub("", value) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def show_evidence(evidence: Sequence[Evidence], language: Language) -> Iterator[str]:
    """Yield every piece between its markers, oldest first, as much of each as there is room for."""
    shares = _share_out(evidence)
    for piece in evidence:
        state = "error" if piece.is_error else "ok"
        arguments = json.dumps(redact(_strip(piece.arguments)), ensure_ascii=False)
        head = f"[{piece.id}] {sanitise(f'{piece.source} {arguments}')[:_HEAD_CHARACTERS]} ({state})"
        share = shares[piece.id]
        shown = delimit(piece.text, piece.id, language, share) if share else TEXTS[language]["all_left_out"]
        yield f"{head}\n{shown}"


def _share_out(evidence: Sequence[Evidence]) -> Mapping[str, int]:
    """Return how many characters each piece may have: the newest first, then errors, then older ones."""
    room = _ALL_CHARACTERS
    shares = dict[str, int]()
    newest = {piece.id for piece in evidence[-_FULL_PIECES:]}
    served = list(reversed(evidence))
    served.sort(key=lambda piece: (piece.id not in newest, not piece.is_error))
    for piece in served:
        shares[piece.id] = min(room, _PIECE_CHARACTERS if piece.id in newest else _OLD_PIECE_CHARACTERS)
        room -= min(shares[piece.id], len(piece.text))
    return shares


def _cut(text: str, limit: int, language: Language) -> str:
    """Return head and tail of a text that is too long: errors stand at the end of logs and descriptions."""
    if len(text) <= limit:
        return text
    note = TEXTS[language]["left_out"].format(count=len(text) - limit)
    half = limit // 2
    return f"{text[:half]}\n{note}\n{text[len(text) - half :]}"
