"""The lines of an answer that a report quotes: what went wrong with the incident's own objects."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from graph.cluster.causal_chain import CausalChain
from graph.domain.alerts.targets import find_pod
from graph.domain.changes.new_values import flatten
from graph.domain.diagnosis import Evidence
from graph.domain.incident import CaseFile
from graph.provenance.evidence_search import documents_of
from tools.errors import UnknownKind
from tools.kubernetes.resource_types import find_kind
from tools.redaction.redactor import redact_text
from tools.text.plain_text import shorten

_MOST_LINES = 6
_LINE_CHARACTERS = 300
# of each answer no more is looked through for lines that stand out
_MOST_FIELDS = 5_000
_MOST_CHARACTERS = 50_000
_MOST_DEPTH = 64
_TELLING = re.compile(
    r"fail|error|back-?off|kill|refused|denied|not found|unhealthy|timed? ?out|forbidden|exceeded|invalid"
    r"|no such|cannot|can't|couldn't|unable|panic|fatal|exception|insufficient|didn't match|warning",
    re.IGNORECASE,
)
_SPOKEN = frozenset({"message", "reason", "note"})
# what an event is about, in core/v1, in events.k8s.io/v1, and as kubernetes-mcp-server spells it
_ABOUT = ("involvedObject", "regarding", "InvolvedObject")
# what answers with many objects where no name is given
_LISTS = frozenset(
    {"kubectl_get", "events_list", "pods_list", "pods_list_in_namespace", "resources_list", "pods_top"}
)
_COLUMNS = re.compile(r"\s{2,}|\t+")


def read_chain(case: CaseFile) -> CausalChain:
    """Return what is on the causal chain of the incident's target, and of the causes that were found."""
    incident, alerts = case.incident, case.group.alerts
    causes = incident.diagnosis.root_causes if incident.diagnosis else ()
    changed = (approval.proposal.target for approval in case.approvals)
    subjects = (*((incident.target,) if incident.target else ()), *causes, *changed)
    pods = ((alert.namespace, find_pod(alert)) for alert in alerts)
    contents = (_with_kind(one.content, piece) for piece in case.evidence for one in documents_of(piece))
    return CausalChain(subjects, ((place, pod) for place, pod in pods if place and pod), contents)


def list_telling_lines(piece: Evidence, chain: CausalChain) -> list[str]:
    """Return at most six lines of an answer that say what is wrong with an object of the chain.

    An object that was asked for by its name was asked for on purpose; of lists only the chain's objects
    count, and of events only those about them.
    """
    found: dict[str, None] = {}
    for line in _telling_lines(piece, chain):
        found[line] = None
        if len(found) == _MOST_LINES:
            break
    return list(found)


def _telling_lines(piece: Evidence, chain: CausalChain) -> Iterator[str]:
    for line in _lines(piece, chain):
        if _TELLING.search(line):
            yield shorten(" ".join(redact_text(line).split()), _LINE_CHARACTERS)


def _lines(piece: Evidence, chain: CausalChain) -> Iterator[str]:
    documents = documents_of(piece)
    if not documents:
        text = redact_text(piece.text[:_MOST_CHARACTERS])
        return iter(text.splitlines()) if not _is_list(piece) else _own_rows(text, piece, chain)
    own = (_keep_own(_with_kind(one.content, piece), piece, chain) for one in documents)
    leaves = (leaf for content in own if content for leaf in flatten((), content))
    return (
        leaf.value
        for leaf in islice(leaves, _MOST_FIELDS)
        if leaf.field in _SPOKEN and isinstance(leaf.value, str)
    )


def _is_list(piece: Evidence) -> bool:
    return piece.tool in _LISTS and not piece.is_error and not piece.arguments.get("name")


def _keep_own(content: dict[str, Any], piece: Evidence, chain: CausalChain) -> dict[str, Any] | None:
    """Return an object without the events in it that are about others; None if it is another's itself."""
    own: dict[str, Any] | None = _without_others(content, piece, chain, 0)
    if own is None or not _is_list(piece) or _about(content) is not None:
        return own
    metadata = content.get("metadata")
    named = metadata if isinstance(metadata, dict) else content
    return own if "name" not in named or _has(chain, named, str(content.get("kind", "")), piece) else None


def _without_others(value: Any, piece: Evidence, chain: CausalChain, depth: int) -> Any:
    if depth > _MOST_DEPTH:
        return None
    if isinstance(value, list):
        kept = (_without_others(one, piece, chain, depth + 1) for one in value)
        return [one for one in kept if one is not None]
    if not isinstance(value, dict):
        return value
    about = _about(value)
    if about is not None and not _has(chain, about, str(about.get("kind") or about.get("Kind") or ""), piece):
        return None
    return {key: _without_others(one, piece, chain, depth + 1) for key, one in value.items()}


def _about(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what an event is about, or None for what is no event."""
    found = (content.get(name) for name in _ABOUT)
    return next((one for one in found if isinstance(one, dict)), None)


def _has(chain: CausalChain, reference: Mapping[str, Any], kind: str, piece: Evidence) -> bool:
    facts = {name.lower(): value for name, value in reference.items() if isinstance(value, str)}
    place = facts.get("namespace") or _place(piece)
    return chain.has(kind, place, facts.get("name", ""), facts.get("uid", ""))


def _own_rows(text: str, piece: Evidence, chain: CausalChain) -> Iterator[str]:
    """Yield the rows of a table that are about the chain's objects; nothing of what is no table."""
    header, *rows = [_COLUMNS.split(line.strip()) for line in text.splitlines() if line.strip()] or [[]]
    column = next((header.index(name) for name in ("OBJECT", "NAME") if name in header), None)
    if column is None:
        return
    for row in rows:
        if len(row) <= column:
            continue
        kind, _, name = row[column].rpartition("/")
        at = row[header.index("NAMESPACE")] if "NAMESPACE" in header else _place(piece)
        if chain.has(kind or _kind_of(piece), at, name):
            yield "  ".join(row)


def _with_kind(content: dict[str, Any], piece: Evidence) -> dict[str, Any]:
    """Return an object with its kind, which some servers leave out of lists."""
    return content if content.get("kind") else {**content, "kind": _kind_of(piece)}


def _kind_of(piece: Evidence) -> str:
    try:
        return find_kind(str(piece.arguments.get("resourceType") or piece.arguments.get("kind") or "")).kind
    except UnknownKind:
        return ""


def _place(piece: Evidence) -> str:
    return str(piece.arguments.get("namespace") or "default")
