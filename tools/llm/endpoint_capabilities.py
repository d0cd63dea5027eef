"""How one endpoint wants to be asked.

"OpenAI-compatible" endpoints differ: some models can't call functions, some servers know no JSON schema,
Ollama ignores `max_completion_tokens`, and OpenAI's reasoning models refuse `max_tokens` and any temperature.
Which it is shows in what an endpoint refuses; each refusal leads to the next dialect, and never back.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from tools.llm.messages import Function, Mode, Question

_FALLBACKS: dict[Mode, Mode] = {"tools": "json_schema", "json_schema": "text"}
_BAD_REQUEST = (400, 422)
# What OpenAI, vLLM, llama.cpp and proxies in front of them say when a question is too long.
_TOO_LONG = (
    "context length", "context_length", "context size", "context window", "maximum context",
    "prompt is too long", "too many tokens", "max_tokens must be at least 1",
)  # fmt: skip
# What a refusal names that is about the way of answering: "does not support tools" (Ollama), "tools param
# requires --jinja flag" (llama.cpp, with 500), "This response_format type is unavailable" (DeepSeek).
_ABOUT_FORMAT = ("tool", "function", "response_format", "json_schema", "grammar")


@dataclass(frozen=True)
class Dialect:
    """One way to ask: how an answer is asked for, how it is limited, and whether a temperature is sent."""

    mode: Mode = "tools"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True

    @classmethod
    def of(cls, base_url: str) -> Self:
        """Return the dialect to begin with."""
        host = urlsplit(base_url).hostname or ""
        return cls(limit="max_completion_tokens" if host.endswith("openai.com") else "max_tokens")

    def messages(self, question: Question) -> list[tuple[str, str]]:
        """Return the conversation as pairs of role and text.

        Where no functions are shown, the system message says how to answer. It stays one message: some chat
        templates refuse a second.
        """
        said = [(message.role, message.text) for message in question.messages]
        if self.mode == "tools":
            return list(said)
        schema = json.dumps(question.answer_schema, ensure_ascii=False, separators=(",", ":"))
        form = f"Answer with one JSON document of this schema, and nothing else: {schema}"
        if said and said[0][0] == "system":
            return [("system", f"{said[0][1]}\n\n{form}"), *said[1:]]
        return [("system", form), *said]

    def parameters(self, question: Question, max_tokens: int) -> dict[str, Any]:
        """Return what goes into the request beside the conversation."""
        # In the body as it is: ChatOpenAI would rename `max_tokens`, and read a `response_format` strictly.
        body: dict[str, Any] = {self.limit: max_tokens}
        if self.mode == "json_schema":
            body["response_format"] = _response_format(question.answer_schema)
        parameters: dict[str, Any] = {"extra_body": body}
        if self.mode == "tools" and question.functions:
            parameters["tools"] = [_tool(function) for function in question.functions]
        if self.temperature:
            parameters["temperature"] = 0
        return parameters

    def after_refusal(self, status: int, complaint: str) -> "Dialect | None":
        """Return how to ask after this refusal, or None: another dialect won't help."""
        if is_too_long(complaint):
            return None
        said = complaint.lower()
        if status in _BAD_REQUEST:
            if self.limit == "max_tokens" and "max_completion_tokens" in said:
                return replace(self, limit="max_completion_tokens")
            if self.temperature and "temperature" in said:
                return replace(self, temperature=False)
        # A bad request that doesn't say why may well be about the tools; other statuses must name them.
        if status in _BAD_REQUEST or any(word in said for word in _ABOUT_FORMAT):
            fallback = _FALLBACKS.get(self.mode)
            return replace(self, mode=fallback) if fallback else None
        return None


def is_too_long(complaint: str) -> bool:
    """Tell whether a refusal says that the question doesn't fit into the model's context."""
    said = complaint.lower()
    return any(words in said for words in _TOO_LONG)


def _tool(function: Function) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": function.name,
            "description": function.description,
            "parameters": function.parameters,
        },
    }


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": False},
    }
