"""Reads a language model's answer as LangChain hands it over.

Whatever leaves here can be stored: no lone surrogates or NULs, no NaN, nothing nested without end.
"""

import json
import math
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tools.llm.messages import FunctionCall, Mode, Question, Reply

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

_MOST_RAW = 2000
_DEEPEST = 40
_TOO_LARGE = 2**63
_MOST_TOKENS = 10**9
_CHARACTERS_PER_TOKEN = 4


def misshapen_call(error: ValidationError) -> FunctionCall | None:
    """Return the call whose arguments are JSON but no object: LangChain raises, and its name is lost."""
    for detail in error.errors():
        if detail["loc"][:1] in {("tool_calls",), ("invalid_tool_calls",)}:
            return FunctionCall(name="?", arguments=None, raw=_shown(detail["input"]))
    return None


def reply_of(answer: "AIMessage | FunctionCall", question: Question, mode: Mode, seconds: float) -> Reply:
    """Return an answer in our own words; `seconds` is how long it took."""
    if isinstance(answer, FunctionCall):
        tokens = _estimate(question, answer.raw)
        return Reply("", (answer,), "", "tool_calls", mode, tokens, seconds)
    text = _clean(str(answer.text))
    calls = _calls(answer)
    told = answer.usage_metadata["total_tokens"] if answer.usage_metadata else 0
    used = min(max(told, 0), _MOST_TOKENS)
    return Reply(
        text=text,
        calls=calls,
        refusal=_clean(str(answer.additional_kwargs.get("refusal") or "")),
        finish_reason=str(answer.response_metadata.get("finish_reason") or ""),
        mode=mode,
        tokens=used or _estimate(question, text + "".join(call.raw for call in calls)),
        seconds=seconds,
    )


def _calls(answer: "AIMessage") -> tuple[FunctionCall, ...]:
    good = [_call(_clean(call["name"]), call["args"]) for call in answer.tool_calls]
    bad = [
        FunctionCall(_clean(call["name"] or ""), None, _clean(call["args"] or "")[:_MOST_RAW])
        for call in answer.invalid_tool_calls
    ]
    return (*good, *bad)


def _call(name: str, arguments: dict[str, Any]) -> FunctionCall:
    try:
        cleaned = _cleaned(arguments)
    except ValueError as error:
        return FunctionCall(name, None, str(error))
    return FunctionCall(name, cleaned, json.dumps(cleaned, ensure_ascii=False)[:_MOST_RAW])


def _cleaned(value: Any, depth: int = 0) -> Any:
    """Return a JSON value that can be stored. Raises `ValueError` for one that can't."""
    if depth > _DEEPEST:
        raise ValueError(f"(nested more than {_DEEPEST} deep)")
    if isinstance(value, dict):
        return {_clean(key): _cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise ValueError("(a number is too large to be stored)")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"(JSON has no number {value})")
    return _clean(value) if isinstance(value, str) else value


def _shown(value: Any) -> str:
    try:
        return _clean(str(value))[:_MOST_RAW]
    except RecursionError:
        return f"(nested more than {_DEEPEST} deep)"


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _estimate(question: Question, answer: str) -> int:
    asked = sum(len(message.text) for message in question.messages)
    shown = len(json.dumps([function.parameters for function in question.functions]))
    return (asked + shown + len(answer)) // _CHARACTERS_PER_TOKEN
