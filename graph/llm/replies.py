"""What a model's reply decides: its function calls count, and where there are none, its text."""

import re
from collections.abc import Sequence
from typing import Any

from graph.llm.decision_schema import DECISIONS, Answer, combine, is_written_call, read_call, read_document
from graph.llm.lenient_parsing import Unusable, load
from tools.llm.client import Reply

_MOST_CHARACTERS = 40_000
_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)
_BLOCK = re.compile(r"```(?:json|yaml|yml)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
# As Qwen's and Hermes' templates write a call.
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_EXPECTED = "one decision is due: call a function, or answer with one JSON or YAML document"


def read_text(text: str) -> Answer:
    """Return the one decision that a text holds. Raises `Unusable`."""
    if len(text) > _MOST_CHARACTERS:
        raise Unusable(f"the answer has {len(text)} characters: answer more briefly")
    body = _THOUGHTS.sub("", text).strip()
    if calls := _CALL.findall(body):
        return combine([read_document(_load_only(call)) for call in calls])
    if blocks := _BLOCK.findall(body):
        return combine([read_document(document) for document in _choose(blocks)])
    start, end = body.find("{"), body.rfind("}")
    inner = [body[start : end + 1]] if 0 <= start < end else []
    return read_document(_choose([*inner, body])[-1])


def _choose(texts: Sequence[str]) -> Sequence[dict[str, Any]]:
    """Return the documents that decide something: others quote what was read, or are a part of one.

    Where none decides, that is the last document, to be told what it lacks. Raises `Unusable`.
    """
    documents, complaints = list[dict[str, Any]](), list[Unusable]()
    for text in texts:
        try:
            documents.append(_load_only(text))
        except Unusable as error:
            complaints.append(error)
    if not documents:
        raise complaints[0]
    return [document for document in documents if _decides(document)] or documents[-1:]


def _load_only(text: str) -> dict[str, Any]:
    document = load(text.strip())
    if not isinstance(document, dict):
        raise Unusable(_EXPECTED)
    return document


def _decides(document: dict[str, Any]) -> bool:
    return "decision" in document or "tool_call" in document or is_written_call(document)


_CUT_OFF = frozenset({"length", "content_filter"})
_REASON_CHARACTERS = 1_000
_ECHO_CHARACTERS = 2_000


def read_reply(reply: Reply) -> Answer:
    """Return the one decision of a reply. Raises `Unusable`.

    Where it reads and decides at once, only the reads count: it can't know yet what they answer.
    """
    if reply.refusal:
        raise Unusable(f"that was no decision but a refusal: {reply.refusal[:200]}")
    if not reply.calls:
        return _read_words(reply)
    reads = [call for call in reply.calls if call.name not in DECISIONS]
    reason = reply.text.strip()[:_REASON_CHARACTERS]
    return combine([read_call(call.name, call.arguments, reason) for call in reads or reply.calls])


def echo(reply: Reply) -> str:
    """Return what the model said, as it is shown to it again."""
    calls = "\n".join(f"{call.name} {call.raw}" for call in reply.calls)
    return ("\n".join(filter(None, (reply.text, calls))) or reply.refusal or "(nothing)")[:_ECHO_CHARACTERS]


def _read_words(reply: Reply) -> Answer:
    if reply.finish_reason in _CUT_OFF:
        raise Unusable(f"the answer was cut off ({reply.finish_reason}): answer more briefly")
    if not reply.text.strip():
        raise Unusable("the answer was empty: one decision is due")
    return read_text(reply.text)
