"""What is said between a mind and a language model: one question, one answer.

The question carries its answer twice, as functions to call and as the schema of one JSON document, because
OpenAI-compatible endpoints differ in which of the two they can do (`tools.llm.endpoint_capabilities`).
"""

from dataclasses import dataclass
from typing import Any, Literal

from tools.errors import MendgateError

Mode = Literal["tools", "json_schema", "text"]
"""How an answer was asked for: by functions to call, by a JSON schema, or in words alone."""


class ModelUnavailable(MendgateError):
    """The language model can't be asked: it is down or silent, refuses the key, or limits the rate."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Function:
    """One function shown to the model; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One question. Its answer is a call of `functions`, or one JSON document of `answer_schema`.

    `seconds` bounds the wait for it in all, retries included.
    """

    messages: tuple[Message, ...]
    functions: tuple[Function, ...]
    answer_schema: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class FunctionCall:
    """One call the model makes.

    `arguments` is None when they are no JSON object; `raw` shows them, bounded. `name` is
    `?` where it was lost, and may be empty.
    """

    name: str
    arguments: dict[str, Any] | None
    raw: str


@dataclass(frozen=True)
class Reply:
    """One answer and what it cost. `refusal` is the model's own word for not answering (empty: it answered).

    `finish_reason` is the endpoint's: `stop`, `tool_calls`, `length` (cut off), `content_filter`. `tokens`
    counts question and answer together, estimated where the endpoint doesn't say. `seconds` is the wait.
    """

    text: str
    calls: tuple[FunctionCall, ...]
    refusal: str
    finish_reason: str
    mode: Mode
    tokens: int
    seconds: float
