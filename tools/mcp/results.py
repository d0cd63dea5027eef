"""What a tool answered, in one shape whatever server it came from.

The error code matters most: it tells a refusal (4xx, nothing was written) from an unknown outcome. Our own
server says it in JSON; kubectl, which others run, says it in words, and they may wrap those.
"""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import ToolMessage

# https://github.com/kubernetes/apimachinery/blob/master/pkg/apis/meta/v1/types.go, StatusReason
_CODES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "Conflict": 409,
    "AlreadyExists": 409,
    "Gone": 410,
    "Expired": 410,
    "RequestEntityTooLarge": 413,
    "UnsupportedMediaType": 415,
    "Invalid": 422,
    "TooManyRequests": 429,
    "InternalError": 500,
    "ServerTimeout": 500,
    "ServiceUnavailable": 503,
    "Timeout": 504,
}
_KUBECTL_REASON = re.compile(r"Error from server \((\w+)\)")
_KUBECTL_INVALID = re.compile(r"^(?:Error: )?The (?:[A-Za-z]+ \"[^\"]*\"|request) is invalid:", re.MULTILINE)


@dataclass(frozen=True)
class ToolResult:
    """One answer. `error_code` is the HTTP status behind an error, None where that isn't known."""

    text: str
    is_error: bool
    error_code: int | None = None

    @property
    def message(self) -> str:
        """The error in words; for a result that is none, its text."""
        return str(_read_json_error(self.text).get("message") or self.text) if self.is_error else self.text

    @property
    def is_unanswered(self) -> bool:
        """Whether the API server behind the tool gave no usable answer, so that asking again may help."""
        if self.error_code is not None:
            return self.error_code == _CODES["TooManyRequests"] or self.error_code >= _CODES["InternalError"]
        return self.is_error and "code" in _read_json_error(self.text)


def read_message(message: "ToolMessage") -> ToolResult:
    """Turn the adapter's message into text; structured content stands in where there is no text."""
    blocks = [message.content] if isinstance(message.content, str) else message.content
    text = "\n".join(_read_block(block) for block in blocks)
    if not text and message.artifact:
        text = json.dumps(message.artifact["structured_content"], ensure_ascii=False)
    return refusal(text) if message.status == "error" else ToolResult(text, is_error=False)


def refusal(text: str) -> ToolResult:
    """Return an error result with the code that its text gives away."""
    return ToolResult(text, is_error=True, error_code=find_error_code(text))


def find_error_code(text: str) -> int | None:
    """Return the HTTP status that an error's text tells of, or None where it doesn't say."""
    document = _read_json(text)
    told = document.get("error")
    if isinstance(told, dict) and "code" in told:
        return told["code"] if isinstance(told["code"], int) else None
    if document.get("status") == "not_found":  # npm's mcp-server-kubernetes
        return _CODES["NotFound"]
    return _read_kubectl(text)


def _read_json_error(text: str) -> dict[str, Any]:
    error = _read_json(text).get("error")
    return error if isinstance(error, dict) else {}


def _read_json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _read_kubectl(text: str) -> int | None:
    # several reasons in one answer: which of them was the write's can't be told
    reasons = set(_KUBECTL_REASON.findall(text))
    if len(reasons) == 1:
        return _CODES.get(reasons.pop())
    return _CODES["Invalid"] if not reasons and _KUBECTL_INVALID.search(text) else None


def _read_block(block: "str | dict[Any, Any]") -> str:
    if isinstance(block, str):
        return block
    return str(block["text"]) if block["type"] == "text" else f"[{block['type']} left out]"
